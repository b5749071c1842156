"""The intake: what providers said, stored before it was acknowledged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId


class WebhookEvent(HasId, Base):
    """One item of a webhook's body. No tenant table: which workspace it concerns is found out by processing it.

    States: `new`, `done`, `ignored` (a kind the product has no use for), `parked` (unparsable, or it failed too
    often; `error` says which), `waiting` (for a recipient whose owner is not known yet: `sender_id` is the sender whose
    address it came to). Events with the same `conversation_key` are processed in order of id.
    """

    __tablename__ = "webhook_events"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    channel: Mapped[str]
    key: Mapped[bytes]
    """The digest that makes it unique within its sender; the body's ciphertext is bound to it."""
    recipient_id: Mapped[str | None]
    """The provider's id of the sender that the item is for, while it waits; None for one that has its owner."""
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
        Index("ix_webhook_events_waiting", "due_at", postgresql_where=text("state = 'waiting'")),
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


class UnknownRecipient(Base):
    """Counts the items that came to a sender's address for a recipient that nobody here owns, and were dropped."""

    __tablename__ = "unknown_recipients"

    sender_id: Mapped[int] = mapped_column(
        ForeignKey("senders.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    recipient_id: Mapped[str] = mapped_column(primary_key=True)
    """The provider's id of the page, number or account: public, not a person's."""
    count: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
