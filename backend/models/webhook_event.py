"""The intake: what providers said, stored before it was acknowledged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId


class WebhookEvent(HasId, Base):
    """One raw body. No tenant table: which workspace it concerns is found out by processing it.

    States: `new`, `done`, `ignored` (a kind the product has no use for), `parked` (unparsable, or it failed too
    often; `error` says which). Events with the same `conversation_key` are processed in order of id.
    """

    __tablename__ = "webhook_events"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    channel: Mapped[str]
    key: Mapped[bytes]
    """The digest that makes it unique within its sender; the body's ciphertext is bound to it."""
    conversation_key: Mapped[int]
    body_encrypted: Mapped[bytes | None]
    """Gone 30 days after `received_at`."""
    state: Mapped[str] = mapped_column(default="new")
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    error: Mapped[str | None]
    due_at: Mapped[datetime]
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_webhook_events_new", "id", postgresql_where=text("state = 'new'")),
        Index(
            "ix_webhook_events_conversation",
            "sender_id",
            "conversation_key",
            "id",
            postgresql_where=text("state = 'new'"),
        ),
        Index("ix_webhook_events_parked", "sender_id", postgresql_where=text("state = 'parked'")),
        Index("ix_webhook_events_received_at", "received_at", postgresql_where=text("body_encrypted IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.02"}},
    )


class WebhookEventKey(Base):
    """Makes a duplicate delivery a no-op. Apart from the events so that these can be partitioned by month."""

    __tablename__ = "webhook_event_keys"

    sender_id: Mapped[int] = mapped_column(
        ForeignKey("senders.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    key: Mapped[bytes] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]

    __table_args__ = (Index("ix_webhook_event_keys_seen_at", "seen_at"),)
