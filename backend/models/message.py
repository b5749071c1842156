"""The history of every conversation, inbound and outbound."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ForeignKey, Index, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.core.encrypted_columns import Encrypted

SENT_STATES: Final = ("accepted", "sent", "delivered", "read", "played")
"""The states of an outbound message that the provider has taken."""


class Message(HasId, Tenant, Base):
    """One message. Its state only moves forward; no index mentions it, so receipts stay cheap (HOT) updates.

    Outbound: queued → accepted → sent → delivered → read → played, or failed, canceled, unknown. Inbound: received.
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
    via: Mapped[str | None]
    """How it was written: `provider` (in the provider's own application), `phone` (on an account's own device),
    `console`, `api`, `campaign`, `assistant`, `notification` or `import`; empty for what was stored before."""
    author_user_id: Mapped[int | None]
    """The member who wrote it."""
    happened_at: Mapped[datetime | None]
    """The provider's time, ours until that is known; empty is `created_at`. A thread is ordered by this, then `id`."""
    edited_at: Mapped[datetime | None]
    played_at: Mapped[datetime | None]
    content: Mapped[dict[str, Any] | None]
    """What an inbound message holds besides text and files, by kind: `location`, `contacts`, `choice`, `order`,
    `referral`, `story`, `shares`, `call`, `system` (`services.conversations.contents`)."""
    price: Mapped[dict[str, Any] | None]
    """`{"category": …, "is_free": …}` as the provider bills it."""

    @property
    def at(self) -> datetime:
        """Its moment in the thread."""
        return self.happened_at or self.created_at

    @property
    def form(self) -> dict[str, Any] | None:
        """The form that it has reached, as stored; None where it goes out as it was meant."""
        return self.body.get("form")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("conversation_id", "conversations"),
        Index("ix_messages_conversation_id", "conversation_id", "id"),
        Index("ix_messages_user_id", "user_id", "id"),
        Index("ix_messages_kind", "workspace_id", "kind", "id"),
        within_workspace("author_user_id", "users", ondelete="SET NULL"),
        Index("ix_messages_author_user_id", "author_user_id", postgresql_where=text("author_user_id IS NOT NULL")),
        # The order of a thread; read backwards.
        Index("ix_messages_thread", "conversation_id", func.coalesce(text("happened_at"), text("created_at")), "id"),
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
    """What the provider holds of a message: one row per part it accepted.

    A part is found by the provider's id alone: within a `box` an id stands for one part of a workspace. The box is the
    empty one for the sender's account; a supergroup or a channel, whose ids begin again, has a box of its own.
    """

    __tablename__ = "message_parts"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    chat_key: Mapped[int]
    box: Mapped[str | None]
    """None where the provider gave no id, where a later part has the same, and for what the release before wrote."""
    external_id: Mapped[str]
    state: Mapped[str | None]
    """The last state that the provider reported: accepted, sent, delivered, read, played or failed."""
    state_at: Mapped[datetime | None]
    facts: Mapped[dict[str, Any] | None]
    """What the provider said with it: the failure's `code` and `detail`, the price's `category`, `is_free`."""
    sent_version: Mapped[int]
    sent_at: Mapped[datetime]
    gone_code: Mapped[str | None]
    """Why the provider edits it no more: its reader deleted it, or the chat is closed."""

    __table_args__ = (
        within_workspace("message_id", "messages"),
        Index("ix_message_parts_external", "sender_id", "chat_key", "external_id"),
        Index(
            "uq_message_parts_box",
            "sender_id",
            "box",
            "external_id",
            "workspace_id",
            unique=True,
            postgresql_where=text("box IS NOT NULL"),
        ),
    )


class MessageVersion(Tenant, Base):
    """What a message said before it was edited. `version` counts from 1, the words it came with; the present ones are
    the message's own."""

    __tablename__ = "message_versions"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    body: Mapped[dict[str, Any]]
    edited_at: Mapped[datetime]
    """Since when it had said this."""

    __table_args__ = (within_workspace("message_id", "messages"),)


class MessageReaction(Tenant, Base):
    """How one side reacts to a message at present."""

    __tablename__ = "message_reactions"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    author: Mapped[str] = mapped_column(primary_key=True)
    """`us`, or the id of an identity."""
    reaction: Mapped[str | None]
    """Empty once it was taken back: a reaction of an earlier moment that comes later changes nothing."""
    at: Mapped[datetime]

    __table_args__ = (within_workspace("message_id", "messages"),)


class MessageFile(HasId, Tenant, Base):
    """A file of an inbound message, and how far it has been fetched."""

    __tablename__ = "message_files"

    message_id: Mapped[int]
    position: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    kind: Mapped[str]
    """`photo`, `video`, `video_note`, `audio`, `voice`, `animation`, `sticker` or `document`."""
    file_id: Mapped[int | None]
    state: Mapped[str] = mapped_column(default="waiting", server_default="waiting")
    """`remote` (not asked for), `waiting`, `fetching`, `stored`, `too_large`, `protected`, `view_once`, `unavailable`
    or `failed`."""
    reason: Mapped[str | None]
    """Why it is not stored: a code."""
    filename: Mapped[str | None]
    mime: Mapped[str | None]
    size: Mapped[int | None]
    """Bytes, as the provider says until it is stored."""
    width: Mapped[int | None]
    height: Mapped[int | None]
    duration: Mapped[int | None]
    """Seconds."""
    external_file_id_encrypted: Mapped[bytes | None]
    created_at: Mapped[datetime]

    external_file_id = Encrypted[str | None]("external_file_id_encrypted")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("message_id", "position"),
        within_workspace("message_id", "messages"),
        within_workspace("file_id", "files", ondelete="SET NULL"),
        Index("ix_message_files_file_id", "file_id", postgresql_where=text("file_id IS NOT NULL")),
    )


class MessageWords(Tenant, Base):
    """The words of a message, for search: Latin words in lower case, Hangul as pairs of syllables, telephone numbers by
    their digits."""

    __tablename__ = "message_words"

    message_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    conversation_id: Mapped[int]
    at: Mapped[datetime]
    words: Mapped[str] = mapped_column(TSVECTOR)

    __table_args__ = (
        within_workspace("message_id", "messages"),
        within_workspace("conversation_id", "conversations"),
        Index("ix_message_words_conversation_id", "conversation_id", "at"),
        Index("ix_message_words_words", "words", postgresql_using="gin"),
    )


class PendingReceipt(HasId, Base):
    """Something about a message that came before the message was recorded (a receipt, an echo, an edit, a reaction, a
    deletion, a read mark): it is tried again when due. No tenant table: the message, and so the workspace, is not known
    yet."""

    __tablename__ = "pending_receipts"

    sender_id: Mapped[int] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    payload_encrypted: Mapped[bytes]
    """The event as JSON."""
    tries: Mapped[int] = mapped_column(SmallInteger, default=0)
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]

    payload = Encrypted[str]("payload_encrypted")

    __table_args__ = (
        Index("ix_pending_receipts_due_at", "due_at"),
        Index("ix_pending_receipts_sender_id", "sender_id"),
    )
