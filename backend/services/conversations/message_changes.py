"""What happens to a message after it was stored: it is edited, taken back, reacted to, read.

Each is applied to the message that the provider names, in the system scope, and returns False while no such message is
known: then it is kept and tried again (`services.receipts.pending`). In whatever order they come, and however often,
the message ends the same: edits are put in the order of their moments, of two reactions of one side the later counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select

from backend.channels.inbound import MessageDeleted, MessageReceived, ReactionChanged
from backend.core import clock, events
from backend.core.database import db, workspace_scope
from backend.models import Conversation, Message, MessagePart, MessageReaction, Sender
from backend.services import live
from backend.services.conversations import chats, history, versions
from backend.services.conversations.contents import content_of
from backend.services.conversations.events import ContactReacted, MessagesDeleted, MessagesStored

MAX_REACTION: Final = 64


def apply_edit(sender: Sender, event: MessageReceived) -> bool:
    """Gives a message its new words; what it said before becomes a version."""
    message = _locked(sender, event.message_id)
    if message is None:
        return False
    if message.direction == "in" or message.via in ("provider", "phone"):
        with workspace_scope(message.workspace_id):
            versions.edit(
                message, history.body_of(event, message.body.get("identity_id")), event.date, content_of(event)
            )
        if message.deleted_at is None:
            events.publish(MessagesStored((history.words_of(message),)))
    return True


def apply_deletion(sender: Sender, event: MessageDeleted) -> bool:
    """Marks messages as taken back; False while one of them is not known."""
    at, complete = event.date or clock.now(), True
    gone: dict[int, list[int]] = {}
    for external_id in sorted(event.message_ids):
        message = _locked(sender, external_id)
        if message is None:
            complete = False
        elif message.deleted_at is None:
            message.deleted_at = at
            gone.setdefault(message.conversation_id, []).append(message.id)
    db.session.flush()
    for conversation_id, message_ids in sorted(gone.items()):
        events.publish(MessagesDeleted(conversation_id, tuple(message_ids)))
    return complete


def apply_reaction(sender: Sender, event: ReactionChanged) -> bool:
    """Notes how the person of a chat reacts to a message, or no longer does."""
    conversations = chats.of_chat(sender, event.chat)
    message = _locked(sender, event.message_id)
    if message is None:
        return False
    conversation = next((chat for chat in conversations if chat.id == message.conversation_id), None)
    if conversation is None:
        conversation = db.session.get_one(Conversation, message.conversation_id)
    author = "us" if event.person is None else str(conversation.identity_id or "")
    reaction = event.emoji[:MAX_REACTION] if event.emoji else None
    with workspace_scope(message.workspace_id):
        if react(message, author, reaction, event.date) and reaction is not None and event.person is not None:
            events.publish(ContactReacted(conversation.id, conversation.identity_id, message.id))
    return True


def react(message: Message, author: str, reaction: str | None, at: datetime | None) -> bool:
    """Notes one side's reaction to a message that its caller has locked, in the workspace's scope; whether it was news.

    A removal stays as an empty reaction, so that an older reaction that comes later changes nothing."""
    at = at or clock.now()
    row = db.session.get(MessageReaction, (message.id, author), populate_existing=True)
    if row is None:
        row = MessageReaction(workspace_id=message.workspace_id, message_id=message.id, author=author)
        row.reaction, row.at = reaction, at
        db.session.add(row)
    elif (at, reaction or "") <= (row.at, row.reaction or ""):
        return False
    else:
        row.reaction, row.at = reaction, at
    db.session.flush()
    live.note(message.workspace_id, "messages", message_id=message.id, conversation_id=message.conversation_id)
    return True


def placed(sender: Sender, external_id: str) -> Sequence[int]:
    """The messages that the provider knows by this id: one, or none yet."""
    query = (
        select(MessagePart.message_id)
        .where(MessagePart.sender_id == sender.id, MessagePart.box == "", MessagePart.external_id == external_id)
        .order_by(MessagePart.message_id.desc())
        .limit(1)
    )
    return db.session.scalars(query).all()


def _locked(sender: Sender, external_id: str) -> Message | None:
    ids = placed(sender, external_id)
    if not ids:
        return None
    query = select(Message).where(Message.id == ids[0]).with_for_update().execution_options(populate_existing=True)
    return db.session.execute(query).scalar_one_or_none()
