"""Senders: what speaks to a provider (a bot now; a person's account, a page, a number later)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from backend.core.database import Base, HasId
from backend.core.encrypted_columns import Encrypted


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
    """`database` (a workspace's own), `environment` (the default bot), or whence the token came of a sender that is no
    bot of any list: `configs` (`TELEGRAM_BOT_CONFIGS`), `arguments` (a caller gave it)."""
    name: Mapped[str]
    name_folded: Mapped[str] = mapped_column(server_default="")
    """The name as names are compared: the database's own `lower` depends on its locale."""
    external_id: Mapped[str | None]
    """The provider's id of the sender itself (a bot's user id): public, not a person's."""
    username: Mapped[str | None]
    credentials_encrypted: Mapped[bytes | None]
    credentials_hash: Mapped[bytes | None]
    webhook_secret_encrypted: Mapped[bytes | None]
    settings_encrypted: Mapped[bytes | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    disabled_code: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """What the provider last said of the sender, and when (`probed_at`); settings of the channel."""
    chat_ids_encrypted: Mapped[bytes | None]
    chat_type: Mapped[str | None]
    """What its only chat is: private, group, supergroup or channel; None where it has several, or nobody knows."""
    message_thread_id: Mapped[str | None]
    """A forum topic of its only chat."""
    last_inbound_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    """When somebody removed it: the row stays for the history that points to it, without token and secret."""

    credentials = Encrypted[str | None]("credentials_encrypted")
    webhook_secret = Encrypted[str | None]("webhook_secret_encrypted")
    joined_settings = Encrypted[str | None]("settings_encrypted")
    joined_chat_ids = Encrypted[str | None]("chat_ids_encrypted")

    __table_args__ = (
        Index("uq_senders_environment", "channel", unique=True, postgresql_where=text("source = 'environment'")),
        Index("ix_senders_workspace_id", "workspace_id"),
        Index(
            "uq_senders_name",
            "workspace_id",
            "channel",
            "name_folded",
            unique=True,
            postgresql_where=text("source = 'database' AND deleted_at IS NULL"),
        ),
        Index(
            "uq_senders_borrowed",
            "workspace_id",
            "credentials_hash",
            unique=True,
            postgresql_where=text("source IN ('configs', 'arguments')"),
        ),
        Index("ix_senders_credentials_hash", "credentials_hash"),
    )

    @property
    def settings(self) -> dict[str, str]:
        """What its channel needs beside the token, by name, secrets among it. A new object each time."""
        stored: dict[str, str] = json.loads(self.joined_settings or "{}")
        return stored

    @settings.setter
    def settings(self, given: Mapping[str, str]) -> None:
        self.joined_settings = json.dumps(dict(given), ensure_ascii=False) if given else None

    @property
    def chat_ids(self) -> tuple[str, ...]:
        """The chats it writes to unless a caller names others: ids of people among them, hence encrypted."""
        joined = self.joined_chat_ids
        return tuple(joined.split(",")) if joined else ()

    @chat_ids.setter
    def chat_ids(self, given: Sequence[str]) -> None:
        self.joined_chat_ids = ",".join(given) or None

    @validates("name")
    def _fold(self, _key: str, name: str) -> str:
        self.name_folded = name.strip().casefold()
        return name


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
