"""The inbox: labels, notes, drafts and canned replies, who is assigned what, and how fast answers should be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace

_EMPTY = text("'[]'::jsonb")
_SHARED = text("owner_user_id IS NULL")
_OWN = text("owner_user_id IS NOT NULL")


class Label(HasId, Tenant, Base):
    """A word that conversations are marked with."""

    __tablename__ = "labels"

    name: Mapped[str]
    name_folded: Mapped[str]
    color: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("workspace_id", "id"), UniqueConstraint("workspace_id", "name_folded"))


class ConversationLabel(Tenant, Base):
    """That a conversation has a label."""

    __tablename__ = "conversation_labels"

    conversation_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

    __table_args__ = (
        within_workspace("conversation_id", "conversations"),
        within_workspace("label_id", "labels"),
        Index("ix_conversation_labels_label_id", "label_id", "conversation_id"),
    )


class ConversationNote(HasId, Tenant, Base):
    """What the people of a workspace tell each other about a conversation; nothing ever sends it."""

    __tablename__ = "conversation_notes"

    conversation_id: Mapped[int]
    author_user_id: Mapped[int | None]
    text: Mapped[str]
    mentions: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY)
    """Ids of the people it names."""
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("conversation_id", "conversations"),
        within_workspace("author_user_id", "users", ondelete="SET NULL"),
        Index("ix_conversation_notes_conversation_id", "conversation_id", "id"),
        Index("ix_conversation_notes_author_user_id", "author_user_id"),
    )


class ConversationDraft(Tenant, Base):
    """What somebody has begun to write in a conversation."""

    __tablename__ = "conversation_drafts"

    conversation_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str]
    file_ids: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY)
    reply_to: Mapped[int | None]
    """The message that it answers."""
    updated_at: Mapped[datetime]

    __table_args__ = (
        within_workspace("conversation_id", "conversations"),
        within_workspace("user_id", "users"),
        Index("ix_conversation_drafts_user_id", "user_id"),
    )


class CannedReply(HasId, Tenant, Base):
    """A text for answers, with variables and files: of the workspace, or of one person."""

    __tablename__ = "canned_replies"

    name: Mapped[str]
    shortcut: Mapped[str | None]
    text: Mapped[str]
    format: Mapped[str] = mapped_column(default="plain", server_default="plain")
    file_ids: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY)
    owner_user_id: Mapped[int | None]
    """Whose it is; empty for the workspace's."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("owner_user_id", "users"),
        CheckConstraint("format IN ('plain', 'html')", name="format"),
        Index(
            "uq_canned_replies_shared",
            "workspace_id",
            "shortcut",
            unique=True,
            postgresql_where=_SHARED,
        ),
        Index(
            "uq_canned_replies_own",
            "owner_user_id",
            "shortcut",
            unique=True,
            postgresql_where=_OWN,
        ),
    )


class AssignmentRule(HasId, Tenant, Base):
    """Who gets a conversation that nobody has: the first rule that fits."""

    __tablename__ = "assignment_rules"

    position: Mapped[int] = mapped_column(SmallInteger)
    name: Mapped[str]
    channel: Mapped[str | None]
    label_id: Mapped[int | None]
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("senders.id", ondelete="CASCADE"))
    method: Mapped[str]
    """`round_robin` among `user_ids`, or `user`: always the first of them."""
    user_ids: Mapped[list[Any]] = mapped_column(default=list, server_default=_EMPTY)
    capacity: Mapped[int | None] = mapped_column(SmallInteger)
    """The most open conversations that one person is given; empty for any number."""
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    last_user_id: Mapped[int | None]
    """Who had the last turn; perhaps no member any more."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("label_id", "labels"),
        CheckConstraint("method IN ('round_robin', 'user')", name="method"),
        Index("ix_assignment_rules_position", "workspace_id", "position", "id"),
        Index("ix_assignment_rules_label_id", "label_id"),
        Index("ix_assignment_rules_sender_id", "sender_id"),
    )


class InboxSettings(Tenant, Base):
    """How fast a workspace means to answer, and when it is there."""

    __tablename__ = "inbox_settings"

    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    first_response_minutes: Mapped[int | None]
    next_response_minutes: Mapped[int | None]
    working_hours: Mapped[dict[str, Any] | None]
    """From and until by weekday; empty for always."""
    away_text: Mapped[str | None]
    timezone: Mapped[str | None]
    updated_at: Mapped[datetime]
