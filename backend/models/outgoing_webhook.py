"""Outgoing webhooks: the endpoints a workspace adds, what they are to be told, and each try."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted


class OutgoingWebhook(HasId, Tenant, Base):
    """An endpoint of a workspace: where to, which events, and the secret that signs.

    `enabled` is what people want; `disabled_code` says that it was switched off because it failed for long. While
    `rest_until` is ahead, nothing goes there. `served_until` is the lease of the thread that sends, on
    the database's clock: one at a time, so that an endpoint that hangs costs one thread.
    """

    __tablename__ = "outgoing_webhooks"

    name: Mapped[str | None]
    kind: Mapped[str] = mapped_column(default="webhook", server_default="webhook")
    """`webhook`, or `sheets`: a deployed Apps Script, which is asked and answers differently."""
    environment_name: Mapped[str | None]
    """The variable that holds its address; empty for one that the workspace added."""
    secret_shown_at: Mapped[datetime | None]
    """When the secret of an endpoint of the environment was read, which is possible once."""
    url: Mapped[str]
    events: Mapped[list[Any]]
    """Types, families (`post.*`) or `*`."""
    secret_encrypted: Mapped[bytes]
    previous_secret_encrypted: Mapped[bytes | None]
    previous_until: Mapped[datetime | None]
    """Until when the secret before the last rotation signs as well."""
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    disabled_code: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Failed tries since the last success."""
    failing_since: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    rest_until: Mapped[datetime | None]
    served_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    secret = Encrypted[str]("secret_encrypted")
    previous_secret = Encrypted[str | None]("previous_secret_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        CheckConstraint("kind IN ('webhook', 'sheets')", name="kind"),
        Index(
            "uq_outgoing_webhooks_environment",
            "environment_name",
            unique=True,
            postgresql_where=text("environment_name IS NOT NULL"),
        ),
    )

    @property
    def is_served(self) -> bool:
        """Whether events are stored for it and sent to it."""
        return self.enabled and self.disabled_code is None


class OutgoingDelivery(HasId, Tenant, Base):
    """One event for one endpoint. `due` until it was taken (`delivered`) or given up (`failed`)."""

    __tablename__ = "outgoing_deliveries"

    webhook_id: Mapped[int]
    event_id: Mapped[str]
    """The same at every endpoint and at every try: receivers tell repetitions by it."""
    type: Mapped[str]
    body: Mapped[str]
    """The JSON exactly as it is sent and signed."""
    state: Mapped[str] = mapped_column(default="due")
    reason: Mapped[str | None]
    """Why it waits or was given up: a code."""
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    due_at: Mapped[datetime]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    """What the endpoint last answered."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        UniqueConstraint("workspace_id", "id"),
        within_workspace("webhook_id", "outgoing_webhooks"),
        CheckConstraint("state IN ('due', 'delivered', 'failed')", name="state"),
        Index("ix_outgoing_deliveries_due", "webhook_id", "due_at", "id", postgresql_where=text("state = 'due'")),
        Index("ix_outgoing_deliveries_workspace_id", "workspace_id", "id"),
        Index("ix_outgoing_deliveries_event_id", "workspace_id", "event_id"),
        Index("ix_outgoing_deliveries_ended_at", "ended_at"),
    )


class OutgoingAttempt(HasId, Tenant, Base):
    """One try: what was answered and how long it took. Never what either side sent, but for a script's own error."""

    __tablename__ = "outgoing_attempts"

    delivery_id: Mapped[int]
    at: Mapped[datetime]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    code: Mapped[str | None]
    """What went wrong; None for a try that succeeded."""
    detail: Mapped[str | None]
    """What a script said of its failure, or the title of the page it answered with."""
    duration_ms: Mapped[int]

    __table_args__ = (
        within_workspace("delivery_id", "outgoing_deliveries"),
        Index("ix_outgoing_attempts_delivery_id", "delivery_id", "id"),
    )
