"""Who takes conversations, what can be undone, and the indexes that the inbox and its search read."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import Index, Table, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace
from backend.models.contact import Contact
from backend.models.conversation import Conversation
from backend.models.message import MessageWords


class InboxAvailability(Tenant, Base):
    """Whether a person takes conversations at present. Who never said so does not."""

    __tablename__ = "inbox_availability"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    is_available: Mapped[bool]
    changed_at: Mapped[datetime]

    __table_args__ = (within_workspace("user_id", "users"),)


class UndoStep(HasId, Tenant, Base):
    """A change that its maker can take back for a while: what it found, and what it left."""

    __tablename__ = "undo_steps"

    user_id: Mapped[int | None]
    action: Mapped[str]
    changes: Mapped[list[Any]]
    """`[{"id", "before", "after"}, …]`: the fields that changed, of each object."""
    created_at: Mapped[datetime]
    until: Mapped[datetime]
    undone_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("user_id", "users", ondelete="SET NULL"),
        Index("ix_undo_steps_user_id", "user_id"),
        Index("ix_undo_steps_until", "until"),
    )


# The neighbouring letters of a name, by a function of migration 0028: what holds all pairs of a search is compared.
_contact_pairs = func.name_pairs(text("first_name"), text("last_name"), text("company"))
_conversation_pairs = func.name_pairs(text("title"), text("NULL"), text("NULL"))
_conversations = Conversation.__table__.c
_waits = "in_inbox AND waiting_since IS NOT NULL"
Index(
    "ix_conversations_channel",
    _conversations.workspace_id,
    _conversations.channel,
    _conversations.last_activity_at,
    _conversations.id,
    postgresql_where=text("in_inbox"),
)
Index(
    "ix_conversations_unread",
    _conversations.workspace_id,
    _conversations.last_activity_at,
    _conversations.id,
    postgresql_where=text("in_inbox AND unread_count > 0"),
)
Index(
    "ix_conversations_not_followed",
    _conversations.id,
    postgresql_where=text("in_inbox AND last_inbound_message_id IS DISTINCT FROM followed_message_id"),
)
Index(
    "ix_conversations_sla_due_at",
    _conversations.sla_due_at,
    postgresql_where=text(f"{_waits} AND sla_due_at IS NOT NULL AND sla_alerted_at IS NULL"),
)
Index(
    "ix_conversations_sla_alerted",
    _conversations.workspace_id,
    _conversations.id,
    postgresql_where=text("sla_alerted_at IS NOT NULL"),
)
Index(
    "ix_conversations_assignment_due",
    _conversations.waiting_since,
    _conversations.id,
    postgresql_where=text("assignment_due"),
)
Index("ix_conversations_words_due", _conversations.id, postgresql_where=text("in_inbox AND words_due"))
Index(
    "ix_conversations_name_pairs",
    _conversation_pairs,
    postgresql_using="gin",
    postgresql_where=text("in_inbox"),
    _table=cast(Table, Conversation.__table__),
)
Index("ix_contacts_name_pairs", _contact_pairs, postgresql_using="gin", _table=cast(Table, Contact.__table__))
_words = MessageWords.__table__.c
Index("ix_message_words_at", _words.workspace_id, _words.at, _words.message_id)
