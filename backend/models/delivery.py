"""The outbox: one narrow row per operation that a provider still has to be asked for, and the attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace

# A queue: rows live for milliseconds. Room for HOT updates, and a vacuum that comes before the bloat does.
_QUEUE_STORAGE = {
    "fillfactor": "70",
    "autovacuum_vacuum_scale_factor": "0.0",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_cost_delay": "0",
    "autovacuum_analyze_scale_factor": "0.0",
    "autovacuum_analyze_threshold": "2000",
}


class Delivery(HasId, Tenant, Base):
    """One operation (send, edit, delete a part; answer a button; show typing), deleted when its outcome is recorded.

    States: `due` (waits for `due_at`; `reason` says why) and `sending` (claimed under `epoch`). A `sending` row
    whose epoch is over is unknown: the provider may or may not have got it.
    """

    __tablename__ = "deliveries"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    conversation_id: Mapped[int | None]
    message_id: Mapped[int | None]
    part: Mapped[int] = mapped_column(SmallInteger, default=0)
    operation: Mapped[str]
    chat_key: Mapped[int | None]
    """None for operations that need not keep their chat's order (button answers, typing)."""
    lane: Mapped[int] = mapped_column(SmallInteger)
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(default="due")
    epoch: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    reason: Mapped[str] = mapped_column(default="queued")
    at_most_once: Mapped[bool] = mapped_column(default=False)
    in_backlog: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether it waits behind others of its chat, more than the chat's pace allows: it leaves every other turn of its
    workspace to chats that have no such backlog."""
    client_ref: Mapped[int | None]
    """Our own random id of a send, by which the provider refuses it a second time; set by the first claim, for channels
    with `idempotent_sends`."""
    payload: Mapped[dict[str, Any] | None]
    """Only for operations without a message."""

    __table_args__ = (
        within_workspace("message_id", "messages"),
        within_workspace("conversation_id", "conversations"),
        CheckConstraint("state IN ('due', 'sending')", name="state"),
        Index("ix_deliveries_due", "sender_id", "lane", "due_at", "id", postgresql_where=text("state = 'due'")),
        Index(
            "ix_deliveries_workspace",
            "sender_id",
            "lane",
            "workspace_id",
            "in_backlog",
            "due_at",
            "id",
            postgresql_where=text("state = 'due'"),
        ),
        Index(
            "ix_deliveries_backlog",
            "sender_id",
            "chat_key",
            "lane",
            "id",
            postgresql_where=text("state = 'due' AND in_backlog"),
        ),
        Index("ix_deliveries_next", "sender_id", "due_at", postgresql_where=text("state = 'due'")),
        Index("ix_deliveries_chat", "sender_id", "chat_key", "due_at", postgresql_where=text("state = 'due'")),
        Index("ix_deliveries_sending", "sender_id", "chat_key", postgresql_where=text("state = 'sending'")),
        Index(
            "uq_deliveries_operation",
            "message_id",
            "part",
            "operation",
            unique=True,
            postgresql_where=text("message_id IS NOT NULL"),
        ),
        Index("ix_deliveries_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("ix_deliveries_conversation_id", "conversation_id"),
        {"postgresql_with": _QUEUE_STORAGE},
    )


class Attempt(Base):
    """Append-only: one row when an operation starts, one more when it does not succeed. Audit and pace ledger.

    Holds no content and no foreign keys: it outlives the erasure of messages and people, so that a quota cannot
    be freed by deleting history.
    """

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    workspace_id: Mapped[int]
    sender_id: Mapped[int]
    chat_key: Mapped[int | None]
    message_id: Mapped[int | None]
    delivery_id: Mapped[int]
    part: Mapped[int] = mapped_column(SmallInteger)
    operation: Mapped[str]
    phase: Mapped[str]
    """`started`, or how it ended: `retry`, `milder`, `unknown`, `rejected`, `unreachable`, `sender_disabled`, …"""
    code: Mapped[str | None]
    epoch: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[str | None]
    """The message's kind; None for operations without one."""
    quota_key: Mapped[bytes | None]
    """A keyed hash of the account that spoke, where a ceiling holds for the account in every workspace; it names
    nobody, and stays when sender, message and person are gone."""

    __table_args__ = (
        Index("ix_attempts_sender_id_at", "sender_id", "at"),
        Index("ix_attempts_message_id", "message_id"),
        Index("ix_attempts_at", "at"),
        Index("ix_attempts_quota_key", "quota_key", "at", postgresql_where=text("quota_key IS NOT NULL")),
    )
