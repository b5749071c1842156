"""Links between a person of a workspace and a Telegram chat."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace


class TelegramLink(HasId, Tenant, Base):
    """A person's chat with a bot: private, or a group for team notifications.

    One per person and bot; and one person per bot and chat in the whole instance (`chat_hash` is the same in
    every workspace). `state` is `active`, or `blocked` while the person keeps the bot blocked.
    """

    __tablename__ = "telegram_links"

    user_id: Mapped[int]
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    conversation_id: Mapped[int]
    chat_hash: Mapped[bytes]
    state: Mapped[str] = mapped_column(default="active")
    disabled_code: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    """Set by `/stop`: notifications rest until `/start`."""
    linked_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("user_id", "sender_id"),
        UniqueConstraint("sender_id", "chat_hash"),
        UniqueConstraint("workspace_id", "id"),
        within_workspace("user_id", "users"),
        within_workspace("conversation_id", "conversations"),
    )


class LinkToken(HasId, Tenant, Base):
    """A single-use deep-link token, kept as a hash; lives 10 minutes of business time."""

    __tablename__ = "link_tokens"

    user_id: Mapped[int]
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_chat_hash: Mapped[bytes | None]
    """The chat that redeemed it."""
    used_by_webhook: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    refused_at: Mapped[datetime | None]
    """When somebody in that chat said that they did not want this."""

    __table_args__ = (
        UniqueConstraint("token_hash"),
        UniqueConstraint("workspace_id", "id"),
        within_workspace("user_id", "users"),
        Index("ix_link_tokens_expires_at", "expires_at"),
    )


class LinkConfirmation(HasId, Tenant, Base):
    """A question asked in a chat that an API call named: is this account yours? Answered by a button there."""

    __tablename__ = "link_confirmations"

    token_id: Mapped[int]
    chat_hash: Mapped[bytes]
    conversation_id: Mapped[int]
    message_id: Mapped[int | None]
    asked_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("token_id", "chat_hash"),
        within_workspace("token_id", "link_tokens"),
        within_workspace("conversation_id", "conversations"),
    )
