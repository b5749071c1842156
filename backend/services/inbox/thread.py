"""The messages of a conversation, the newest first by the provider's time, each with all that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, select

from backend.core.database import db
from backend.core.errors import Invalid, NotFound
from backend.models import Conversation, Message, MessageVersion
from backend.services import paging
from backend.services.inbox import access, keyset
from backend.services.inbox.keyset import Place

AT: Final = func.coalesce(Message.happened_at, Message.created_at)
"""A message's moment in its thread; the index `ix_messages_thread` is over it."""
_LIST: Final = "thread"


def page(
    user_id: int | None,
    conversation_id: int,
    *,
    cursor: str | None = None,
    around: int | None = None,
    after: int | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[Conversation, list[Message], str | None]:
    """The conversation, a page of its messages, newest first, and the cursor of older ones.

    `around` is a message in the middle of the page, `after` one of which only newer ones are wanted: those next to it,
    where there are more than `limit`. Raises NotFound (conversation, message), Invalid (`invalid_cursor`, and
    `places_ambiguous` for more than one of the three).
    """
    conversation = access.conversation(user_id, conversation_id)
    if sum(place is not None for place in (cursor, around, after)) > 1:
        raise Invalid("places_ambiguous", "Give one of cursor, around and after.")
    limit = max(1, min(limit, paging.MAX_LIMIT))
    query = select(Message).where(Message.conversation_id == conversation.id)
    if after is not None:
        return conversation, _newer(query, _place(conversation, after), limit), None
    if around is not None:
        place = _place(conversation, around)
        newer = _newer(query, place, limit // 2)
        # The message itself is the first of the older half.
        older = query.where(~place.after(AT, Message.id))
        rows, following = keyset.page(older, _LIST, AT, Message.id, cursor=None, limit=limit - len(newer))
        return conversation, [*newer, *(row[0] for row in rows)], following
    rows, following = keyset.page(query, _LIST, AT, Message.id, cursor=cursor, limit=limit)
    return conversation, [row[0] for row in rows], following


def versions(user_id: int | None, message_id: int) -> list[tuple[int, dict[str, Any], datetime | None]]:
    """What a message has said, the newest first: (version, body, when it began to say so). Raises NotFound.

    Of a message that was taken back nothing is told any more.
    """
    message, _ = access.message(user_id, message_id)
    if message.deleted_at is not None:
        return []
    query = (
        select(MessageVersion).where(MessageVersion.message_id == message.id).order_by(MessageVersion.version.desc())
    )
    earlier = [(row.version, row.body, row.edited_at) for row in db.session.scalars(query)]
    newest = (earlier[0][0] + 1) if earlier else 1
    since = message.edited_at or message.happened_at or message.created_at
    return [(newest, message.body, since), *earlier]


def counted_versions(message_ids: Sequence[int]) -> dict[int, int]:
    """How many earlier versions these messages have; those without any are left out."""
    query = (
        select(MessageVersion.message_id, func.count())
        .where(MessageVersion.message_id.in_(message_ids))
        .group_by(MessageVersion.message_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


def _newer(query: Select[Any], place: Place, limit: int) -> list[Message]:
    """Those next after a place, newest first."""
    query = query.where(place.after(AT, Message.id)).order_by(AT, Message.id).limit(limit)
    return list(db.session.scalars(query))[::-1]


def _place(conversation: Conversation, message_id: int) -> Place:
    query = select(AT).where(Message.conversation_id == conversation.id, Message.id == message_id)
    at = db.session.scalar(query)
    if at is None:
        raise NotFound("message_not_found", "There is no such message in this conversation.")
    return Place(at, message_id)
