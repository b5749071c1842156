"""Who may see a conversation: the one predicate that lists, counts, threads, search and live events go by.

For whoever may not see it a conversation does not exist: 404 by its id, absent from everything else. Live events hold
to the same rule in `services.live.changes`, where what changed is addressed.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select

from backend.models import Conversation, ConversationShare


def visible_to(user_id: int | None) -> ColumnElement[bool]:
    """Whether a row of `Conversation` may be seen by this person; None sees the workspace's only.

    Of the chats of a person's own account the owner decides; an admin sees no more than anybody else.
    """
    is_shared_with_all = Conversation.visibility == "workspace"
    if user_id is None:
        return is_shared_with_all
    shared = (
        select(ConversationShare.user_id)
        .where(ConversationShare.conversation_id == Conversation.id, ConversationShare.user_id == user_id)
        .correlate(Conversation)
        .exists()
    )
    return or_(
        is_shared_with_all,
        Conversation.owner_user_id == user_id,
        and_(Conversation.visibility == "people", shared),
    )
