"""Who is talked to and where: identities, conversations, suppressions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted


class Identity(HasId, Tenant, Base):
    """A person at a provider, as one workspace knows them.

    `external_hash` is the keyed hash over (channel, scope, external id); `scope` is empty where a provider's ids
    hold everywhere (Telegram) and the page or number where they do not (Messenger).
    """

    __tablename__ = "identities"

    channel: Mapped[str]
    scope: Mapped[str] = mapped_column(default="", server_default="")
    external_id_encrypted: Mapped[bytes]
    external_hash: Mapped[bytes]
    user_id: Mapped[int | None]
    display_name: Mapped[str | None]
    username: Mapped[str | None]
    locale: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    external_id = Encrypted[str]("external_id_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "external_hash"),
        within_workspace("user_id", "users", ondelete="SET NULL"),
        Index("ix_identities_user_id", "user_id"),
    )


class Conversation(HasId, Tenant, Base):
    """A chat with one sender, as one workspace sees it.

    `chat_key` (the head of the keyed hash of sender and chat) is the same in every workspace, so that pace and
    order hold for the chat and not for the row. `blocked_code` is the reason nothing may be sent there now; the
    claim of the outbox checks it, which makes it the last gate before the provider.
    """

    __tablename__ = "conversations"

    channel: Mapped[str]
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    chat_hash: Mapped[bytes]
    chat_key: Mapped[int]
    chat_id_encrypted: Mapped[bytes]
    kind: Mapped[str]
    """`private`, `group`, `supergroup` or `channel`."""
    title: Mapped[str | None]
    thread_id: Mapped[str | None]
    identity_id: Mapped[int | None]
    blocked_code: Mapped[str | None]
    blocked_at: Mapped[datetime | None]
    unreachable_code: Mapped[str | None]
    """Why the last message did not get there, for a reason that need not last: it is tried again."""
    unreachable_at: Mapped[datetime | None]
    last_inbound_at: Mapped[datetime | None]
    last_message_at: Mapped[datetime | None]
    recent_answers: Mapped[dict[str, Any] | None]
    """What the chat was answered by itself in the last minutes: moments and digests, no texts."""
    created_at: Mapped[datetime]

    chat_id = Encrypted[str]("chat_id_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("workspace_id", "sender_id", "chat_hash"),
        within_workspace("identity_id", "identities", ondelete="SET NULL"),
        Index("ix_conversations_sender_id_chat_hash", "sender_id", "chat_hash"),
        Index("ix_conversations_identity_id", "identity_id"),
        Index("ix_conversations_blocked", "id", postgresql_where=text("blocked_code IS NOT NULL")),
    )


class Suppression(HasId, Tenant, Base):
    """An identifier of a person who must not be written to, as a keyed hash only.

    It survives the erasure of everything else, and therefore points to nothing. `external_hash` equals
    `identities.external_hash` for a user of a provider, `contact_points.value_hash` for all kinds.
    """

    __tablename__ = "suppressions"

    external_hash: Mapped[bytes]
    kind: Mapped[str] = mapped_column(default="telegram_user", server_default="telegram_user")
    code: Mapped[str]
    """Why: `opted_out`, `complaint`, `requested`, `imported` or `other`."""
    source: Mapped[str | None]
    """How it came: `person`, `api`, `console`, `import` or `inherited`."""
    created_by: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("workspace_id", "external_hash"),)
