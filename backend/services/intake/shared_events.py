"""Events that mean the same on every channel, and what is done with those of a channel without handlers of its own."""

from __future__ import annotations

from backend.channels.inbound import (
    AccountChanged,
    CallReceived,
    EchoReceived,
    IdentityChanged,
    InboundEvent,
    MessageDeleted,
    MessageReceived,
    OptOutChanged,
    ReactionChanged,
    ReadMarkReceived,
    ReceiptReceived,
    ThreadControlChanged,
    WatermarkReceived,
)
from backend.core import events
from backend.core.database import workspace_scope
from backend.models import Sender
from backend.services import channel_setup, conversations, inbox, receipts
from backend.services.conversations import chats, history_notes, identities
from backend.services.conversations.contents import call_of
from backend.services.conversations.events import ContactCalled
from backend.services.conversations.hashing import scope_of
from backend.services.intake import opt_outs, received
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
    """Keeps what people write in the history of the sender's workspace, with everything that happens to it later, and
    moves the conversation of the inbox on. What else comes is kept as an event and changes nothing."""
    if isinstance(event, MessageReceived):
        _record(sender, event)
    elif isinstance(event, ReactionChanged | MessageDeleted | ReadMarkReceived):
        # What has overtaken its message waits for it.
        receipts.receive(sender, event)
    elif isinstance(event, IdentityChanged):
        _follow_change(sender, event)
    elif isinstance(event, OptOutChanged):
        opt_outs.apply(sender, event)
    elif isinstance(event, ThreadControlChanged):
        _note_control(sender, event)
    elif isinstance(event, CallReceived):
        _record_call(sender, event)
    elif isinstance(event, AccountChanged):
        channel_setup.account_changed(sender, event)
    note_activity(sender)


def _record(sender: Sender, event: MessageReceived) -> None:
    if sender.workspace_id is None or event.channel_post:
        return
    if event.edited:
        receipts.receive(sender, event)
        return
    conversation = conversations.find_or_create(
        sender, event.chat, workspace_id=sender.workspace_id, person=event.sender
    )
    if conversations.message_at(conversation, event.message_id) is not None:
        return
    message = conversations.record_inbound(conversation, event, identity_id=conversation.identity_id)
    if event.chat.is_private:
        received.follow(conversation, message, event)


def _record_call(sender: Sender, event: CallReceived) -> None:
    """A call is one entry of the thread, whatever is said of it later."""
    if sender.workspace_id is None:
        return
    conversation = conversations.find_or_create(
        sender, event.chat, workspace_id=sender.workspace_id, person=event.person
    )
    known = conversations.message_at(conversation, event.call_id)
    if known is not None:
        with workspace_scope(conversation.workspace_id):
            known_call = (known.content or {}).get("call", {})
            if event.seconds is not None or known_call.get("seconds") is None:
                known.content = call_of(event)
        return
    message = history_notes.record(conversation, "call", call_of(event), at=event.date, external_id=event.call_id)
    received.enter_call(conversation, message, event)
    events.publish(ContactCalled(conversation.id, conversation.identity_id))


def _follow_change(sender: Sender, event: IdentityChanged) -> None:
    """Adds the new ids of a person; answers go to the new number from now on."""
    if sender.workspace_id is None:
        return
    scope = scope_of(sender.channel, sender.id)
    identity = identities.follow_change(
        sender.channel, event.old, event.new, workspace_id=sender.workspace_id, scope=scope
    )
    if identity is None:
        return
    with workspace_scope(sender.workspace_id):
        conversation = chats.with_identity(sender, identity.id)
        if conversation is None:
            return
        number = next((each.id for each in event.new if each.id.isdigit()), None)
        if number is not None:
            chats.move_address(conversation, number)
        kind = "number_changed" if number is not None else "id_changed"
        history_notes.record(conversation, "system", {"system": {"kind": kind}}, at=event.date)


def _note_control(sender: Sender, event: ThreadControlChanged) -> None:
    for known in conversations.of_chat(sender, event.chat):
        conversation = inbox.state.lock(known.id)
        if conversation is not None:
            inbox.state.set_in_charge(conversation, event.in_charge)
