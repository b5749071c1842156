"""Updates as Telegram sends them, stored for the drain, and what the drain made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Conversation, Delivery, Identity, Message, MessagePart, Sender, WebhookEvent
from backend.services import intake

_numbers = count(10_001)


def update(chat_id: int, text: str, *, by: int | None = None, message_id: int | None = None, **fields: Any) -> bytes:
    """Somebody writes: in private, or in a group (a negative id) as the person `by`."""
    number = next(_numbers)
    person = {"id": by or abs(chat_id), "is_bot": False, "first_name": f"Sam {by or chat_id}", "language_code": "en"}
    chat: dict[str, Any] = {"id": chat_id, "type": "private", "first_name": f"Sam {chat_id}"}
    if chat_id < 0:
        chat = {"id": chat_id, "type": "supergroup", "title": f"Team {chat_id}"}
    message = {
        "message_id": message_id or number,
        "date": int(clock.unix()),
        "chat": chat,
        "from": person,
        "text": text,
    }
    return json.dumps({"update_id": number, "message": message | fields}).encode()


def press(chat_id: int, data: str) -> bytes:
    """Somebody presses a button in their private chat."""
    number = next(_numbers)
    person = {"id": chat_id, "is_bot": False, "first_name": f"Sam {chat_id}", "language_code": "en"}
    message = {"message_id": 1, "date": 0, "chat": {"id": chat_id, "type": "private", "first_name": f"Sam {chat_id}"}}
    query = {"id": str(number), "from": person, "message": message, "data": data}
    return json.dumps({"update_id": number, "callback_query": query}).encode()


def arrive(sender: Sender, *bodies: bytes) -> None:
    """Stores updates as the web process does."""
    with system_scope("a test"):
        for body in bodies:
            intake.store(sender, body)
        db.session.commit()


def states() -> list[str]:
    """The states of all events, in order."""
    with system_scope("a test"):
        db.session.rollback()
        return list(db.session.execute(select(WebhookEvent.state).order_by(WebhookEvent.id)).scalars())


def attempts() -> list[int]:
    """How often each event was tried, in order."""
    with system_scope("a test"):
        db.session.rollback()
        return list(db.session.execute(select(WebhookEvent.attempts).order_by(WebhookEvent.id)).scalars())


def texts(direction: str = "in", conversation_id: int | None = None) -> list[str]:
    """What was written (`in`) or is to be said (`out`), in the order of its rows."""
    with system_scope("a test"):
        query = select(Message).where(Message.direction == direction).order_by(Message.id)
        if conversation_id is not None:
            query = query.where(Message.conversation_id == conversation_id)
        return [message.body["parts"][0]["text"] for message in db.session.execute(query).scalars()]


def everything_stored() -> dict[str, list[Any]]:
    """All that a drain stores, without the rows' own ids and moments, so that two ways can be compared."""
    with system_scope("a test"):
        db.session.expire_all()
        chats = {row.id: row.chat_id for row in _all(Conversation)}
        people = {row.id: row.external_id for row in _all(Identity)}
        first = min((row.workspace_id for row in _all(Message)), default=0)
        messages = {row.id: (row.workspace_id - first, *_message(row, chats, people)) for row in _all(Message)}
        return {
            "messages": sorted(map(repr, messages.values())),
            "parts": sorted(repr((messages[p.message_id], p.external_id, p.sent_version)) for p in _all(MessagePart)),
            "deliveries": sorted(
                repr((messages.get(d.message_id or 0), chats.get(d.conversation_id or 0), d.part, d.operation, d.lane))
                + repr((d.state, d.reason, d.at_most_once, d.chat_key is not None))
                for d in _all(Delivery)
            ),
            "conversations": sorted(
                repr((c.chat_id, c.title, c.kind, people.get(c.identity_id or 0), c.last_inbound_at is not None))
                + repr(c.last_message_at is not None)
                for c in _all(Conversation)
            ),
            "people": sorted(
                repr((i.external_id, i.display_name, i.username, i.locale, i.user_id is not None))
                for i in _all(Identity)
            ),
            "events": [(event.state, event.error) for event in _all(WebhookEvent)],
        }


def _message(row: Message, chats: dict[int, str], people: dict[int, str]) -> tuple[Any, ...]:
    body = dict(row.body)
    author = people.get(body.pop("identity_id", 0))
    names = ("direction", "kind", "lane", "state", "error", "external_id", "reply_to", "at_most_once", "version")
    about = (getattr(row, name) for name in names)
    return (chats[row.conversation_id], author, body, *about, row.user_id is not None)


def _all(model: Any) -> Iterable[Any]:
    return db.session.execute(select(model).order_by(*model.__mapper__.primary_key)).scalars().all()
