"""What people wrote: inbound messages in a conversation's history, and finding a message by the provider's id."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend.channels.inbound import MessageReceived
from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.models import Conversation, Message, MessagePart
from backend.services.conversations import versions
from backend.services.conversations.boxes import box_of, take_id
from backend.services.conversations.contents import content_of
from backend.services.conversations.events import StoredWords
from backend.services.conversations.hashing import family_of

LINK_TOKEN = re.compile(r"\buser_(\d{1,19})_[A-Za-z0-9_-]{16,}")


def record_inbound(
    conversation: Conversation,
    event: MessageReceived,
    *,
    identity_id: int | None = None,
    user_id: int | None = None,
) -> Message:
    """Adds what somebody wrote to the history; an edited message gets its new text, a known one stays as it is.

    Link tokens are secrets until they are used, and are cut out of the text. The author is named by `identity_id`.
    """
    with workspace_scope(conversation.workspace_id):
        message = message_at(conversation, event.message_id)
        if message is not None:
            if event.edited and message.direction == "in":
                db.session.refresh(message, with_for_update=True)
                versions.edit(message, body_of(event, identity_id), event.date, content_of(event))
            return message
        now = clock.now()
        message = Message(**message_row(conversation, event, now, identity_id=identity_id, user_id=user_id))
        db.session.add(message)
        db.session.flush()
        part = part_row(message.id, conversation, event, now)
        take_id(part)
        db.session.execute(insert(MessagePart).values(part))
        # Only the provider's own time: it is compared with the time of a block, which comes through another queue.
        seen = conversation.last_inbound_at
        if event.date is not None and (seen is None or seen < event.date):
            conversation.last_inbound_at = event.date
        conversation.last_message_at = now
        db.session.flush()
        return message


def record_outbound(
    conversation: Conversation,
    event: MessageReceived,
    *,
    kind: str,
    application_id: str | None = None,
    via: str = "provider",
) -> Message:
    """Adds what was written in our sender's name from elsewhere to the history, in the workspace's scope."""
    now = clock.now()
    row = message_row(conversation, event, now, identity_id=None, user_id=None)
    body = row["body"] | {"via": "provider"} | ({"application_id": application_id} if application_id else {})
    changed = {"direction": "out", "kind": kind, "state": "sent", "lane": 1, "body": body, "sent_at": event.date or now}
    changed["via"] = via
    message = Message(**row | changed)
    db.session.add(message)
    db.session.flush()
    part = part_row(message.id, conversation, event, now)
    take_id(part)
    db.session.execute(insert(MessagePart).values(part))
    conversation.last_message_at = now
    db.session.flush()
    return message


def message_row(
    conversation: Conversation,
    event: MessageReceived,
    now: datetime,
    *,
    identity_id: int | None,
    user_id: int | None,
) -> dict[str, Any]:
    """The row of what somebody wrote, without its id."""
    return {
        "workspace_id": conversation.workspace_id,
        "conversation_id": conversation.id,
        "sender_id": conversation.sender_id,
        "direction": "in",
        "kind": event.kind,
        "lane": 0,
        "state": "received",
        "error": None,
        "body": body_of(event, identity_id),
        "external_id": event.message_id,
        "reply_to": event.reply_to,
        "user_id": user_id,
        "created_at": now,
        "sent_at": event.date,
        "via": None,
        "author_user_id": None,
        "happened_at": event.date,
        "content": content_of(event),
    }


def part_row(message_id: int, conversation: Conversation, event: MessageReceived, now: datetime) -> dict[str, Any]:
    """The row by which a received message is found again."""
    return {
        "workspace_id": conversation.workspace_id,
        "message_id": message_id,
        "part": 0,
        "sender_id": conversation.sender_id,
        "chat_key": conversation.chat_key,
        "box": box_of(event.chat.type, conversation.chat_key, event.message_id),
        "external_id": event.message_id,
        "sent_version": 1,
        "sent_at": event.date or now,
    }


def words_of(message: Message) -> StoredWords:
    """What a stored message says."""
    parts = message.body.get("parts", ())
    text = "\n".join(str(part.get("text", "")) for part in parts)
    has_file = any(part.get("received") or part.get("media") for part in parts)
    return StoredWords(message.id, message.workspace_id, message.conversation_id, message.at, text, has_file)


def message_at(conversation: Conversation, external_id: str) -> Message | None:
    """The message of this conversation that the provider knows by this id."""
    # A person may be written to under another id by now; of Telegram what an earlier release wrote has no box.
    by_box = conversation.kind == "private" and family_of(conversation.channel) != "telegram"
    place = MessagePart.box == "" if by_box else MessagePart.chat_key == conversation.chat_key
    with workspace_scope(conversation.workspace_id):
        return (
            db.session.execute(
                select(Message)
                .join(MessagePart, MessagePart.message_id == Message.id)
                .where(
                    MessagePart.sender_id == conversation.sender_id,
                    place,
                    MessagePart.external_id == external_id,
                    Message.conversation_id == conversation.id,
                )
                .limit(1)
            )
            .scalars()
            .first()
        )


def without_tokens(text: str) -> str:
    """The text with the secret part of link tokens left out."""
    return LINK_TOKEN.sub(r"user_\1_…", text)


def body_of(event: MessageReceived, identity_id: int | None) -> dict[str, Any]:
    """The body of what somebody wrote; link tokens, which are secrets until they are used, are cut out of the text."""
    part: dict[str, Any] = {"text": without_tokens(event.text), "format": "plain"}
    if event.media:
        part["received"] = [
            {
                name: value
                for name in ("kind", "external_file_id", "unique_id", "filename", "mime", "size")
                if (value := getattr(file, name)) is not None
            }
            for file in event.media
        ]
    marks = {name: True for name in ("forwarded", "edited", "channel_post", "anonymous") if getattr(event, name)}
    body: dict[str, Any] = {"parts": [part], **marks}
    if identity_id is not None:
        body["identity_id"] = identity_id
    if event.thread_id is not None:
        body["thread_id"] = event.thread_id
    return body
