"""Applying an echo: what went out in our sender's name was either ours, or a person's or another application's."""

from __future__ import annotations

from typing import Final

from backend.channels import registry
from backend.channels.inbound import EchoReceived, Person, ReceiptReceived
from backend.core import events
from backend.core.database import workspace_scope
from backend.models import Conversation, Message, Sender
from backend.services import conversations
from backend.services.conversations.events import MessagesStored, OperatorWrote
from backend.services.conversations.history import message_at, record_outbound, words_of
from backend.services.receipts import matching
from backend.services.receipts.status import apply_receipt

KIND: Final = "provider_reply"
"""The kind of a message that was not sent by us."""


def apply_echo(sender: Sender, event: EchoReceived, *, has_waited: bool = False) -> bool:
    """Takes an echo of our own send for that, and records any other as written from elsewhere (`via: provider`), in the
    caller's transaction and in the system scope.

    False while it may be the echo of a send whose record it has overtaken: without our own id of the operation only
    until it `has_waited` for as long as a record may take, unless what is under way says the same.
    """
    message = event.message
    place = matching.find_part(sender, message.message_id, event.client_ref)
    if place is not None:
        confirmed = ReceiptReceived(message.message_id, "sent", message.date, client_ref=event.client_ref)
        return apply_receipt(sender, confirmed)
    chats = conversations.of_chat(sender, message.chat)
    if any(message_at(chat, message.message_id) is not None for chat in chats):
        return True
    if not has_waited and chats and matching.is_in_flight([chat.id for chat in chats]):
        return False
    if chats and matching.is_text_under_way([chat.id for chat in chats], message.text):
        return False
    record_reply(sender, event, chats)
    return True


def record_reply(sender: Sender, event: EchoReceived, chats: list[Conversation]) -> Message | None:
    """Adds what was written from elsewhere to the history of the sender's workspace; None where the sender has none."""
    own = [chat for chat in chats if chat.workspace_id == sender.workspace_id] or chats
    if own:
        conversation = own[0]
    elif sender.workspace_id is not None:
        chat = event.message.chat
        person = Person(chat.id, chat.name or "") if chat.is_private else None
        conversation = conversations.find_or_create(sender, chat, workspace_id=sender.workspace_id, person=person)
    else:
        return None
    with workspace_scope(conversation.workspace_id):
        via = "phone" if registry.spec(sender.channel).keeps_connection else "provider"
        message = record_outbound(conversation, event.message, kind=KIND, application_id=event.application_id, via=via)
    events.publish(OperatorWrote(conversation.id, message.id, event.message.date))
    events.publish(MessagesStored((words_of(message),)))
    return message
