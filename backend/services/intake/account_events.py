"""What follows from the updates of a person's account, in the transaction that ends the update.

Only chats that the workspace knows come here: the process that fetches updates stores no others. Features above hear of
it by the events of `services.conversations`.
"""

from __future__ import annotations

from sqlalchemy import select, update

from backend.channels.inbound import (
    CallReceived,
    Chat,
    InboundEvent,
    MessageDeleted,
    ReactionChanged,
    ReadMarkReceived,
)
from backend.channels.telegram_user import NAME
from backend.core import clock, events
from backend.core.database import db
from backend.models import Conversation, Message, MessagePart, Sender
from backend.services import conversations
from backend.services.conversations import message_changes
from backend.services.conversations.events import (
    ContactCalled,
    ContactReacted,
    MessagesDeleted,
    ReadUpTo,
)
from backend.services.intake import handlers
from backend.services.intake.activity import note_activity
from backend.services.intake.shared_events import handle_plainly, prepare_nothing
from backend.services.receipts.status import advance_message


def handle(sender: Sender, event: InboundEvent, facts: object = None) -> None:
    """Does what an account's update asks for, in the caller's transaction and in the system scope."""
    if isinstance(event, MessageDeleted):
        _note_deletion(sender, event)
    elif isinstance(event, ReactionChanged):
        _note_reaction(sender, event)
    elif isinstance(event, CallReceived):
        for conversation in _conversations(sender, event.chat):
            events.publish(ContactCalled(conversation.id, conversation.identity_id))
    elif isinstance(event, ReadMarkReceived):
        _note_read(sender, event)
    else:
        handle_plainly(sender, event)
        return
    note_activity(sender)


def _note_deletion(sender: Sender, event: MessageDeleted) -> None:
    """Marks messages as taken back. In private chats Telegram names only their ids."""
    rows = db.session.execute(
        select(Message.id, Message.conversation_id)
        .join(MessagePart, MessagePart.message_id == Message.id)
        .where(MessagePart.sender_id == sender.id, MessagePart.box == "")
        .where(MessagePart.external_id.in_(event.message_ids), Message.deleted_at.is_(None))
    ).all()
    ids = sorted({row.id for row in rows})
    # In order of id: everybody locks messages so.
    db.session.execute(select(Message.id).where(Message.id.in_(ids)).order_by(Message.id).with_for_update())
    db.session.execute(
        update(Message)
        .where(Message.id.in_(ids))
        .values(deleted_at=event.date or clock.now())
        .execution_options(synchronize_session="fetch")
    )
    by_conversation: dict[int, list[int]] = {}
    for row in rows:
        by_conversation.setdefault(row.conversation_id, []).append(row.id)
    for conversation_id, message_ids in sorted(by_conversation.items()):
        events.publish(MessagesDeleted(conversation_id, tuple(sorted(set(message_ids)))))


def _note_reaction(sender: Sender, event: ReactionChanged) -> None:
    if message_changes.apply_reaction(sender, event) or event.emoji is None:
        return
    for conversation in _conversations(sender, event.chat):
        events.publish(ContactReacted(conversation.id, conversation.identity_id, None))


def _note_read(sender: Sender, event: ReadMarkReceived) -> None:
    """Moves our messages up to the mark on to `read`. Where nobody told the moment it is when it was heard of."""
    at = event.date or clock.now()
    for conversation in _conversations(sender, event.chat):
        parts = db.session.execute(
            select(MessagePart.message_id, MessagePart.part, MessagePart.external_id)
            .join(Message, Message.id == MessagePart.message_id)
            .where(Message.conversation_id == conversation.id, Message.direction == "out")
            .where(Message.state.in_(("accepted", "sent", "delivered")), MessagePart.box == "")
            .order_by(MessagePart.message_id)
        ).all()
        seen = [row for row in parts if int(row.external_id) <= int(event.up_to)]
        messages = db.session.execute(
            select(Message)
            .where(Message.id.in_({row.message_id for row in seen}))
            .order_by(Message.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).scalars()
        locked = list(messages)
        for row in seen:
            db.session.execute(
                update(MessagePart)
                .where(MessagePart.message_id == row.message_id, MessagePart.part == row.part)
                .values(state="read", state_at=at)
            )
        db.session.flush()
        for message in locked:
            advance_message(message, at)
        events.publish(ReadUpTo(conversation.id, event.up_to, event.date))


def _conversations(sender: Sender, chat: Chat) -> list[Conversation]:
    return conversations.by_chat(sender.id, conversations.chat_hash(sender.channel, sender.id, chat.id))


handlers.register(NAME, prepare_nothing, handle)
