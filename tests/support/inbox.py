"""Conversations of the inbox for tests: made in one line, and spoken in."""

from __future__ import annotations

from itertools import count
from typing import Any

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Contact, Conversation, Identity, Message, MessagePart, Sender, User, Workspace
from backend.services.inbox import inbound_state, search_index
from backend.services.inbox.inbound_state import Inbound
from tests.support import factories

_numbers = count(1)


def conversation(of: Workspace, sender: Sender | None = None, name: str = "Ada", **values: Any) -> Conversation:
    """A conversation that is in the inbox, with its person, in which nothing was said yet."""
    now, number = clock.now(), next(_numbers)
    sender = sender or factories.bot(of)
    given = {"in_inbox": True, "status": "open", "last_activity_at": now, "title": name} | values
    with system_scope("a test's rows"):
        made = factories.conversation(of, sender, str(6_100_000 + number), **given)
        person = Identity(
            workspace_id=of.id,
            channel=sender.channel,
            external_hash=f"person-{number}".encode(),
            display_name=name,
            created_at=now,
            updated_at=now,
        )
        person.external_id = str(number)
        db.session.add(person)
        db.session.flush()
        made.identity_id = person.id
        db.session.flush()
    return made


def receive(chat: Conversation, text: str = "Hello", **values: Any) -> Message:
    """The person writes, as the intake stores it."""
    now = clock.now()
    message = _store(chat, text, direction="in", **{"kind": "text", "state": "received", "via": "provider"} | values)
    item = Inbound(chat.id, chat.workspace_id, chat.sender_id, chat.channel)
    window = inbound_state.window_of(chat.channel, values.get("happened_at") or now)
    item.add(message.id, values.get("happened_at") or now, window)
    item.columns = {"last_inbound_at": now}
    with system_scope("a test's rows"):
        inbound_state.write_one(item, chat)
    return message


def say(chat: Conversation, text: str = "Good morning", **values: Any) -> Message:
    """A message of ours that was sent, of a person's unless told otherwise."""
    given = {"kind": "conversation_reply", "state": "sent", "via": "console"} | values
    message = _store(chat, text, direction="out", **given)
    with system_scope("a test's rows"):
        chat.last_message_id, chat.last_activity_at = message.id, message.at
        db.session.flush()
    return message


def contact(chat: Conversation, **values: Any) -> Contact:
    """The contact of a conversation's person."""
    now = clock.now()
    with system_scope("a test's rows"):
        made = Contact(
            **{"workspace_id": chat.workspace_id, "created_at": now, "updated_at": now, "fields": {}} | values
        )
        db.session.add(made)
        db.session.flush()
        assert chat.identity_id is not None
        db.session.get_one(Identity, chat.identity_id).contact_id = made.id
        db.session.flush()
    return made


def home_of(person: User) -> Workspace:
    """A person's workspace."""
    with system_scope("a test's rows"):
        return db.session.get_one(Workspace, person.workspace_id)


def _store(chat: Conversation, text: str, **values: Any) -> Message:
    now, number = clock.now(), next(_numbers)
    given = {
        "workspace_id": chat.workspace_id,
        "conversation_id": chat.id,
        "sender_id": chat.sender_id,
        "body": {"parts": [{"text": text, "format": "plain"}]},
        "external_id": f"m{number}",
        "created_at": now,
        "happened_at": now,
        "lane": 0,
    }
    made = Message(**given | values)
    with system_scope("a test's rows"):
        db.session.add(made)
        db.session.flush()
        if made.external_id is not None:
            place = {"sender_id": chat.sender_id, "chat_key": chat.chat_key, "box": "", "external_id": made.external_id}
            part = MessagePart(workspace_id=chat.workspace_id, message_id=made.id, part=0, sent_version=1, **place)
            part.sent_at = now
            db.session.add(part)
            db.session.flush()
        search_index.index_messages([made])
    return made
