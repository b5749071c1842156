"""The history of every conversation, inbound and outbound."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace


class Message(HasId, Tenant, Base):
    """One message. Its state only moves forward; no index mentions it, so receipts stay cheap (HOT) updates.

    Outbound: queued → sent → delivered → read, or failed, canceled, unknown. Inbound: received.
    `body` holds `{"parts": [content, …]}`, for what belongs to a topic `thread_id`, and the `form` that it has reached
    (`channels.forms`); `version` counts what it should say, and each part's `sent_version` what the provider was told.
    """

    __tablename__ = "messages"

    conversation_id: Mapped[int]
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    direction: Mapped[str]
    """`in` or `out`."""
    kind: Mapped[str]
    lane: Mapped[int] = mapped_column(SmallInteger, default=1)
    state: Mapped[str]
    error: Mapped[str | None]
    """Why it ended: a reason code."""
    error_detail: Mapped[str | None]
    gone_code: Mapped[str | None]
    """Why what was sent can be edited no more."""
    at_most_once: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Said once at most: an unknown outcome is shown to an operator and never tried again."""
    body: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    external_id: Mapped[str | None]
    """The provider's id of the first part."""
    reply_to: Mapped[str | None]
    user_id: Mapped[int | None]
    """The person of the workspace it is for (outbound) or from (inbound)."""
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """When it was taken back at the provider."""

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("conversation_id", "conversations"),
        Index("ix_messages_conversation_id", "conversation_id", "id"),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class MessageKey(Tenant, Base):
    """Keeps a message from being created twice; its own table so that `messages` can be partitioned by month."""

    __tablename__ = "message_keys"

    key: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    message_id: Mapped[int]
    created_at: Mapped[datetime]


class MessagePart(Tenant, Base):
    """What the provider holds of a message: one row per part it accepted."""

    __tablename__ = "message_parts"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    chat_key: Mapped[int]
    external_id: Mapped[str]
    sent_version: Mapped[int]
    sent_at: Mapped[datetime]
    gone_code: Mapped[str | None]
    """Why the provider edits it no more: its reader deleted it, or the chat is closed."""

    __table_args__ = (
        within_workspace("message_id", "messages"),
        Index("ix_message_parts_external", "sender_id", "chat_key", "external_id"),
    )
