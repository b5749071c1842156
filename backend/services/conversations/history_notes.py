"""Inbound entries of a history that no message says: calls, and changes of who somebody is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from backend.channels.inbound import Chat, MessageReceived
from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.models import Conversation, Message, MessagePart
from backend.services.conversations import history
from backend.services.conversations.boxes import take_id


def record(
    conversation: Conversation, kind: str, content: dict[str, Any], *, at: datetime | None, external_id: str = ""
) -> Message:
    """Adds an entry without words; one that the provider has an id for is found by it again."""
    now = clock.now()
    chat = Chat(conversation.chat_id, "private")
    event = MessageReceived(chat, None, external_id, kind=kind, date=at)
    row = history.message_row(conversation, event, now, identity_id=conversation.identity_id, user_id=None)
    row |= {"content": content, "external_id": external_id or None}
    with workspace_scope(conversation.workspace_id):
        message = Message(**row)
        db.session.add(message)
        db.session.flush()
        if external_id:
            part = history.part_row(message.id, conversation, event, now)
            take_id(part)
            db.session.execute(insert(MessagePart).values(part))
        return message
