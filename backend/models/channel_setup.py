"""How a sender at Meta is set up: what the last checks found, its templates, and what Meta asked about people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant


class ChannelSetup(Base):
    """What the checks of a sender found, and when they and its token are due. No tenant table, as senders are none.

    `results` are the checks as `services.channel_setup.results` stores them; `alerting` names those of them of which
    the operators were told. `account` is what the provider's webhooks said of the number: its quality, its limit.
    """

    __tablename__ = "channel_setups"

    sender_id: Mapped[int] = mapped_column(
        ForeignKey("senders.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    results: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    checked_at: Mapped[datetime | None]
    check_at: Mapped[datetime]
    """When the checks are due next; whoever makes them moves it on first, so that nobody else begins."""
    failures: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    """Checks in a row for which the provider could not be asked."""
    alerting: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    account: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    token_expires_at: Mapped[datetime | None]
    token_user_hash: Mapped[bytes | None]
    """A keyed hash of the person (an id of the provider's application) who gave the token."""
    renew_at: Mapped[datetime | None]
    """When a token that can be renewed is renewed next; None where it cannot."""
    renew_failures: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    renew_error: Mapped[str | None]
    renewed_at: Mapped[datetime | None]
    templates_at: Mapped[datetime | None]
    """When the templates were read last."""

    __table_args__ = (
        Index("ix_channel_setups_check_at", "check_at"),
        Index("ix_channel_setups_renew_at", "renew_at", postgresql_where=text("renew_at IS NOT NULL")),
        Index(
            "ix_channel_setups_token_user_hash",
            "token_user_hash",
            postgresql_where=text("token_user_hash IS NOT NULL"),
        ),
    )


class MessageTemplate(HasId, Tenant, Base):
    """A message template of a WhatsApp account, as the provider has it; one that it no longer has is deleted.

    `state`, `category` and `quality` are the provider's words in lower case. `components` is its description of header,
    text, footer and buttons, bounded.
    """

    __tablename__ = "message_templates"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    external_id: Mapped[str]
    name: Mapped[str]
    language: Mapped[str]
    category: Mapped[str]
    state: Mapped[str]
    quality: Mapped[str | None]
    reason: Mapped[str | None]
    """Why the provider refused or stopped it: its word."""
    components: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    changed_at: Mapped[datetime]
    """When the provider last said something new of it."""
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "sender_id", "name", "language"),
        Index("ix_message_templates_external_id", "sender_id", "external_id"),
    )


class MetaRequest(HasId, Base):
    """A person's request that came by the provider: to delete what is kept of them, or that they took back their
    consent to the application. Kept without the person's id; the same request twice is one row."""

    __tablename__ = "meta_requests"

    kind: Mapped[str]
    """`deletion` or `deauthorization`."""
    code: Mapped[str]
    """By which the person asks how it stands: random, and no hint at who they are."""
    user_hash: Mapped[bytes]
    issued_at: Mapped[datetime]
    state: Mapped[str]
    """`pending`, `done`, or `nothing_found`."""
    count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many records were erased, or integrations checked again."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("kind", "user_hash", "issued_at"),
        UniqueConstraint("code"),
        Index("ix_meta_requests_created_at", "created_at"),
    )
