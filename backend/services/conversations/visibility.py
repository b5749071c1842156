"""Which conversations a person may see: one condition for every query."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_, select

from backend.models import Conversation, ConversationShare


def visible_to(user_id: int | None) -> ColumnElement[bool]:
    """Whether this person may see a conversation; None sees those of the workspace only."""
    if user_id is None:
        return Conversation.visibility == "workspace"
    shared = (
        select(ConversationShare.conversation_id)
        .where(ConversationShare.conversation_id == Conversation.id, ConversationShare.user_id == user_id)
        .exists()
        if user_id is not None
        else false()
    )
    return or_(
        Conversation.visibility == "workspace",
        Conversation.owner_user_id == user_id,
        and_(Conversation.visibility == "people", shared),
    )
