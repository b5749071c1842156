"""Handles many ordinary messages of Telegram's people at once: what `telegram.handle` does for one, by a few statements
for all of them.

Ordinary is what only has to be recorded and answered. Links, presses, memberships and whatever asks Telegram first are
handled one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backend.channels.inbound import Ignored, InboundEvent, MessageReceived
from backend.core.logging import get_logger
from backend.models import Sender
from backend.services import conversations, linking
from backend.services.conversations import batch as conversation_batch
from backend.services.conversations.batch import Encounter
from backend.services.intake import commands, telegram
from backend.services.intake.answer_limits import AnswerHistory
from backend.services.intake.arrival import event_received_at
from backend.services.intake.batch_store import BatchStore, Loaded, NotLoaded
from backend.services.intake.commands import ChatContext, Facts
from backend.services.intake.commands.chat_store import waiting_messages

log = get_logger(__name__)
_CHANGING: Final = frozenset({"start", "stop"})
"""Commands that do more than answer."""


@dataclass(frozen=True, slots=True)
class BatchedEvent:
    """An event of a batch, with the number of its stored row and of its conversation."""

    row_id: int
    conversation_key: int
    sender: Sender
    event: InboundEvent
    received_at: datetime


def is_ordinary(sender: Sender, event: InboundEvent) -> bool:
    """Whether an event may be handled in a batch. Reads nothing."""
    if isinstance(event, Ignored):
        return True
    if not isinstance(event, MessageReceived) or event.edited or telegram.asks_provider(sender, event):
        return False
    command = commands.command_in(sender, event)
    return command is None or (commands.token_in(command) is None and command.name not in _CHANGING)


def handle_many(events: Sequence[BatchedEvent]) -> set[int]:
    """Does what the events ask for, in the caller's transaction and in the system scope; returns the rows of those that
    it did not handle: an event that fails, and those behind it in its conversation.

    Raises what the database raises, and then nothing of it must be committed.
    """
    messages = [item for item in events if isinstance(item.event, MessageReceived)]
    failed: set[int] = set()
    if messages:
        loaded = _load(messages)
        while True:
            store = BatchStore(loaded)
            broken = _respond(store, [item for item in messages if item.row_id not in failed])
            if broken is None:
                break
            # What a failed event has left in memory goes with the whole attempt: the others are repeated without it.
            failed.update(
                item.row_id
                for item in messages
                if item.row_id >= broken.row_id
                and (item.sender.id, item.conversation_key) == (broken.sender.id, broken.conversation_key)
            )
        store.write()
    for sender in {item.sender.id: item.sender for item in events}.values():
        telegram.note_activity(sender)
    return failed


def _respond(store: BatchStore, messages: Sequence[BatchedEvent]) -> BatchedEvent | None:
    """Records and answers messages in memory; returns the first that failed."""
    for item in messages:
        assert isinstance(item.event, MessageReceived)
        if telegram.is_passed_over(item.event):
            continue
        try:
            with event_received_at(item.received_at):
                telegram.respond(_context(store, item, item.event), item.event)
        except NotLoaded:
            return item
        except Exception as error:
            log.exception("event_left_the_batch", event_id=item.row_id, error=type(error).__name__)
            return item
    return None


def _load(messages: Sequence[BatchedEvent]) -> Loaded:
    chats = {
        (item.sender.id, conversations.chat_hash(item.sender.channel, item.sender.id, item.event.chat.id))
        for item in messages
        if isinstance(item.event, MessageReceived)
    }
    links = linking.links_of_chats(sorted(chats))
    empty = BatchStore(Loaded(links, conversation_batch.Met({}, {}, {}), (), ()))
    encounters: list[tuple[Encounter, str]] = []
    for item in messages:
        event = item.event
        assert isinstance(event, MessageReceived)
        if telegram.is_passed_over(event):
            continue
        context = _context(empty, item, event)
        if context.workspace_id is not None and telegram.is_recorded(context, event):
            user_id = context.user.id if context.user is not None and event.chat.is_private else None
            encounter = Encounter(context.workspace_id, item.sender, event.chat, event.sender, user_id)
            encounters.append((encounter, event.message_id))
    met = conversation_batch.meet([encounter for encounter, _ in encounters])
    places = [(met.conversations[encounter.name], message_id) for encounter, message_id in encounters]
    answered = [
        answer.message_id
        for conversation in met.conversations.values()
        for answer in AnswerHistory.from_json(conversation.recent_answers).answers
    ]
    return Loaded(links, met, conversation_batch.known_messages(places), waiting_messages(answered))


def _context(store: BatchStore, item: BatchedEvent, event: MessageReceived) -> ChatContext:
    return ChatContext.open(item.sender, event.chat, event.sender, Facts(), event.message_id, store)
