"""What follows for conversations of the inbox from what happens below it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from backend.core import events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Message
from backend.services.conversations.events import MessagesDeleted, MessagesStored, OperatorWrote
from backend.services.delivery.events import MessageFailed
from backend.services.inbox import search_index, state
from backend.services.inbox.search_index import Indexed

WINDOW_CODES: Final = frozenset({"window_closed", "131047", "10/2534022", "10/2018278"})
"""Failures by which a provider says that a window is closed, whatever was thought: also long after it took the
message."""
NOT_IN_CHARGE: Final = frozenset({"not_in_charge", "2018300", "100/2018300"})
"""Failures by which it says that another application answers in the chat."""


def on_operator_wrote(event: OperatorWrote) -> None:
    """Somebody answered in the provider's own application: they have taken over."""
    with system_scope("the event names a conversation of some workspace"):
        message = db.session.get(Message, event.message_id)
        if message is None:
            return
        conversation = state.lock(event.conversation_id)
        # What an account's owner writes to people who never wrote is no conversation of the inbox yet.
        if conversation is None or not (conversation.in_inbox or message.via == "provider"):
            return
        with workspace_scope(conversation.workspace_id):
            state.note_outbound(conversation, message)


def on_message_failed(event: MessageFailed) -> None:
    """A provider's refusal says more about the chat than was known."""
    if event.code not in WINDOW_CODES and event.code not in NOT_IN_CHARGE:
        return
    with system_scope("the event names a message of some workspace"):
        conversation_id = db.session.scalar(select(Message.conversation_id).where(Message.id == event.message_id))
        conversation = state.lock(conversation_id) if conversation_id is not None else None
        if conversation is None:
            return
        with workspace_scope(conversation.workspace_id):
            if event.code in WINDOW_CODES:
                state.close_window(conversation)
            else:
                state.set_in_charge(conversation, "other")


def on_messages_stored(event: MessagesStored) -> None:
    """What people say can be found at once."""
    search_index.index(
        Indexed(words.message_id, words.workspace_id, words.conversation_id, words.at, words.text, words.has_file)
        for words in event.messages
    )


def on_messages_deleted(event: MessagesDeleted) -> None:
    """What was taken back is found no more."""
    search_index.forget(event.message_ids)


events.subscribe(OperatorWrote, on_operator_wrote)
events.subscribe(MessagesStored, on_messages_stored)
events.subscribe(MessagesDeleted, on_messages_deleted)
events.subscribe(MessageFailed, on_message_failed)
