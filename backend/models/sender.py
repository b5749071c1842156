"""Senders: what speaks to a provider (a bot now; a person's account, a page, a number later)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId
from backend.core.sealed import Sealed


class Sender(HasId, Base):
    """One credential at one provider.

    `workspace_id` is the owner. It is NULL only for the environment's default bot of an instance that has no
    workspace yet; the first workspace adopts it. The default bot serves people of every workspace, therefore
    this table is not kept apart by the session: services filter by owner where a user names a sender.
    """

    __tablename__ = "senders"

    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    channel: Mapped[str]
    source: Mapped[str] = mapped_column(default="database")
    """`environment` or `database`."""
    name: Mapped[str]
    external_id: Mapped[str | None]
    """The provider's id of the sender itself (a bot's user id): public, not a person's."""
    username: Mapped[str | None]
    credentials_encrypted: Mapped[bytes | None]
    credentials_hash: Mapped[bytes | None]
    webhook_secret_encrypted: Mapped[bytes | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    disabled_code: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """What the provider last said of the sender, and when (`probed_at`); settings of the channel."""
    last_inbound_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    credentials = Sealed[str | None]("credentials_encrypted")
    webhook_secret = Sealed[str | None]("webhook_secret_encrypted")

    __table_args__ = (
        Index("uq_senders_environment", "channel", unique=True, postgresql_where=text("source = 'environment'")),
        Index("ix_senders_workspace_id", "workspace_id"),
    )


class SenderLease(Base):
    """Who serves a sender now. `until` is the database's time, `epoch` rises at every takeover.

    `paused_until` (business time) and its reason hold for the sender whoever serves it: a 429, a flood wait.
    """

    __tablename__ = "sender_leases"

    sender_id: Mapped[int] = mapped_column(
        ForeignKey("senders.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    owner: Mapped[str]
    epoch: Mapped[int]
    until: Mapped[datetime]
    paused_until: Mapped[datetime | None]
    pause_reason: Mapped[str | None]
