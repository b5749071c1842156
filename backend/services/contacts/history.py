"""What was said with a contact: the conversations of everybody whom the contact's points mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from backend.core.database import db, system_scope
from backend.models import ContactPoint, Conversation, Identity, Message, Sender

MAX_CONVERSATIONS: Final = 20
MAX_MESSAGES: Final = 10
_WHY: Final = "a workspace's conversations name their senders, which are kept apart by their owner"


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation with a contact: by which sender, what stands in its way, when somebody wrote last."""

    id: int
    channel: str
    sender: str
    blocked_code: str | None
    last_inbound_at: datetime | None
    last_message_at: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """One message of these conversations, without its words."""

    id: int
    conversation_id: int
    direction: str
    kind: str
    state: str
    created_at: datetime


def conversations_of(contact_id: int) -> list[Talk]:
    """The contact's conversations, the last used first; at most `MAX_CONVERSATIONS`."""
    own = select(ContactPoint.value_hash).where(ContactPoint.contact_id == contact_id)
    query = (
        select(
            Conversation.id,
            Conversation.channel,
            Conversation.sender_id,
            Conversation.blocked_code,
            Conversation.last_inbound_at,
            Conversation.last_message_at,
        )
        .join(Identity, Identity.id == Conversation.identity_id)
        .where(Identity.external_hash.in_(own), Conversation.kind == "private")
        .order_by(Conversation.last_message_at.desc().nulls_last(), Conversation.id.desc())
        .limit(MAX_CONVERSATIONS)
    )
    rows = db.session.execute(query).all()
    names = _names({row.sender_id for row in rows})
    return [
        Talk(
            row.id,
            row.channel,
            names.get(row.sender_id, ""),
            row.blocked_code,
            row.last_inbound_at,
            row.last_message_at,
        )
        for row in rows
    ]


def last_messages(talks: Sequence[Talk]) -> list[Said]:
    """The newest messages of these conversations, without their words; at most `MAX_MESSAGES`."""
    if not talks:
        return []
    query: Any = (
        select(Message.id, Message.conversation_id, Message.direction, Message.kind, Message.state, Message.created_at)
        .where(Message.conversation_id.in_([talk.id for talk in talks]))
        .order_by(Message.id.desc())
        .limit(MAX_MESSAGES)
    )
    return [Said(*row) for row in db.session.execute(query)]


def _names(sender_ids: set[int]) -> dict[int, str]:
    if not sender_ids:
        return {}
    with system_scope(_WHY):
        query = select(Sender.id, Sender.name).where(Sender.id.in_(sender_ids))
        return {row[0]: row[1] for row in db.session.execute(query)}
