"""Who reads a conversation and who writes in it, at this moment: kept in Redis for seconds, never in the database.

What is said passes by: who listens hears it, nobody is told later. While Redis is away nobody is seen.
"""

from __future__ import annotations

import json
from typing import Any, Final

import redis
from sqlalchemy import select

from backend.core import clock, queue
from backend.core.database import db
from backend.core.logging import get_logger
from backend.models import Conversation, ConversationShare, User
from backend.services.auth.attribution import Attribution
from backend.services.inbox import access
from backend.services.live import passing

log = get_logger(__name__)

SECONDS: Final = 25
"""For so long somebody is seen after the last word of them."""
VIEWING: Final = "viewing"
WRITING: Final = "writing"
GONE: Final = "gone"


def note(by: Attribution, conversation: Conversation, what: str) -> None:
    """Says that the person reads a conversation, writes in it, or has left it."""
    if by.user_id is None:
        return
    key, member = _key(conversation), str(by.user_id)
    try:
        with queue.connection().pipeline(transaction=True) as pipeline:
            if what == GONE:
                pipeline.hdel(key, member)
            else:
                pipeline.hset(key, member, json.dumps([what, clock.unix()]))
                pipeline.expire(key, SECONDS)
            pipeline.execute()
    except redis.RedisError as error:
        log.info("presence_away", error=type(error).__name__)
    topic = "typing" if what == WRITING else "presence"
    ids = {"conversation_id": conversation.id, "user_id": by.user_id}
    passing.tell(conversation.workspace_id, topic, ids, only_for=_audience(conversation))


def of(user_id: int | None, conversation_id: int) -> list[dict[str, Any]]:
    """Who else reads a conversation or writes in it now: `user_id`, `name`, `is_writing`. Raises NotFound."""
    conversation = access.conversation(user_id, conversation_id)
    try:
        stored = queue.connection().hgetall(_key(conversation))
    except redis.RedisError:
        return []
    seen = {int(member): json.loads(value) for member, value in stored.items()}
    since = clock.unix() - SECONDS
    present = {member: what for member, (what, at) in seen.items() if at >= since and member != user_id}
    if not present:
        return []
    query = select(User.id, User.name).where(User.id.in_(present)).order_by(User.id)
    return [
        {"user_id": row.id, "name": row.name, "is_writing": present[row.id] == WRITING}
        for row in db.session.execute(query)
    ]


def _audience(conversation: Conversation) -> list[int] | None:
    """The people who may hear of it; None for everybody of the workspace."""
    if conversation.visibility == "workspace":
        return None
    shared = select(ConversationShare.user_id).where(ConversationShare.conversation_id == conversation.id)
    people = set(db.session.scalars(shared)) if conversation.visibility == "people" else set()
    return sorted(people | ({conversation.owner_user_id} if conversation.owner_user_id is not None else set()))


def _key(conversation: Conversation) -> str:
    return f"switchboard:presence:{conversation.workspace_id}:{conversation.id}"
