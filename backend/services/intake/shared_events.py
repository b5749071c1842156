"""Events that mean the same on every channel, and what is done with those of a channel without handlers of its own."""

from __future__ import annotations

from backend.channels.inbound import (
    EchoReceived,
    InboundEvent,
    MessageDeleted,
    MessageReceived,
    ReceiptReceived,
    WatermarkReceived,
)
from backend.core import clock, events
from backend.core.database import db, workspace_scope
from backend.models import Conversation, Sender
from backend.services import conversations, receipts
from backend.services.conversations.events import ContactWrote
from backend.services.intake.activity import note_activity


def handle_shared(sender: Sender, event: InboundEvent) -> bool:
    """Does what a receipt, a watermark or an echo asks for, in the caller's transaction and in the system scope; False
    for any other event."""
    if not isinstance(event, ReceiptReceived | WatermarkReceived | EchoReceived):
        return False
    receipts.receive(sender, event)
    return True


def prepare_nothing(sender: Sender, event: InboundEvent) -> None:
    """Asks the provider nothing."""


def handle_plainly(sender: Sender, event: InboundEvent, facts: object = None) -> None:
    """Keeps what people write in the history of the sender's workspace, with later edits and deletions. What else comes
    is kept as an event and changes nothing."""
    if isinstance(event, MessageReceived):
        _record(sender, event)
    elif isinstance(event, MessageDeleted):
        _note_deletion(sender, event)
    note_activity(sender)


def _record(sender: Sender, event: MessageReceived) -> None:
    if sender.workspace_id is None or event.channel_post:
        return
    conversation = conversations.find_or_create(
        sender, event.chat, workspace_id=sender.workspace_id, person=event.sender
    )
    known = conversations.message_at(conversation, event.message_id) is not None
    message = conversations.record_inbound(conversation, event, identity_id=conversation.identity_id)
    if not known and event.chat.is_private:
        events.publish(ContactWrote(conversation.id, conversation.identity_id, message.id, event.text, event.automatic))


def _note_deletion(sender: Sender, event: MessageDeleted) -> None:
    for conversation in _conversations(sender, event):
        with workspace_scope(conversation.workspace_id):
            for message_id in event.message_ids:
                message = conversations.message_at(conversation, message_id)
                if message is not None and message.deleted_at is None:
                    message.deleted_at = event.date or clock.now()
            db.session.flush()


def _conversations(sender: Sender, event: MessageDeleted) -> list[Conversation]:
    if event.chat is None:
        return []
    return conversations.by_chat(sender.id, conversations.chat_hash(sender.channel, sender.id, event.chat.id))
