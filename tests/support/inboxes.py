"""Conversations of an inbox with what was said in them, as rows."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Conversation, Identity, Message, Sender, Workspace
from tests.support import factories

_numbers = count(1)


def conversation(of: Workspace, sender: Sender, name: str = "Mina Park", **values: Any) -> Conversation:
    """A conversation of the inbox with a person of this name, open, in which nothing was said."""
    number = next(_numbers)
    identity = Identity(
        workspace_id=of.id,
        channel=sender.channel,
        external_hash=b"identity %d" % number,
        display_name=name,
        created_at=clock.now(),
        updated_at=clock.now(),
    )
    identity.external_id = str(70_000 + number)
    _store(identity)
    given = {
        "identity_id": identity.id,
        "title": name,
        "in_inbox": True,
        "status": "open",
        "last_activity_at": clock.now(),
        "first_inbound_at": clock.now(),
    }
    return factories.conversation(of, sender, str(70_000 + number), **given | values)


def said(chat: Conversation, text: str = "", *, ago: timedelta = timedelta(0), **values: Any) -> Message:
    """What the person wrote, or with `direction="out"` what we did; the conversation's newest message."""
    moment = clock.now() - ago
    from_us = values.get("direction") == "out"
    given = {
        "workspace_id": chat.workspace_id,
        "conversation_id": chat.id,
        "sender_id": chat.sender_id,
        "direction": "in",
        "kind": "conversation_reply" if from_us else "text",
        "state": "sent" if from_us else "received",
        "body": {"parts": [{"text": text, "format": "plain"}]},
        "created_at": moment,
        "happened_at": moment,
    }
    message: Message = _store(Message(**given | values))
    with system_scope("a test"):
        chat.last_message_id, chat.last_activity_at = message.id, moment
        if not from_us:
            chat.last_inbound_message_id, chat.last_inbound_at = message.id, moment
            chat.unread_count += 1
            chat.waiting_since = chat.waiting_since or moment
        db.session.flush()
    return message


def _store(made: Any) -> Any:
    with system_scope("a test"):
        db.session.add(made)
        db.session.flush()
    return made
