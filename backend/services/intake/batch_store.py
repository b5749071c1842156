"""The rows of a batch of events: read by a few statements, changed in memory, written by a few more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend.channels.inbound import Chat, MessageReceived, Person
from backend.core import bulk, clock, events
from backend.models import Conversation, Message, MessageFile, MessagePart, Sender, TelegramLink, User
from backend.services import inbox, live
from backend.services.contacts.inbound import Writer, ensure
from backend.services.conversations import history as message_rows
from backend.services.conversations import identity_hash
from backend.services.conversations.batch import Met
from backend.services.conversations.boxes import take_ids
from backend.services.conversations.events import ContactsWrote, ContactWrote, MessagesStored, StoredWords
from backend.services.delivery.bulk_insert import OutboxRows, OutgoingMessage
from backend.services.inbox import inbound_state
from backend.services.inbox.inbound_state import Inbound
from backend.services.intake import received
from backend.services.intake.answer_limits import AnswerHistory
from backend.services.linking.batch import ChatName


class NotLoaded(Exception):
    """An event needs a row that was not read for its batch: it has to be handled by itself."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read for a batch. `known` are messages that are stored already, as (conversation's id, provider's id);
    `waiting` are answers that are not sent yet."""

    links: Mapping[ChatName, tuple[TelegramLink, User]]
    met: Met
    known: Collection[tuple[int, str]]
    waiting: Collection[int]


@dataclass(slots=True)
class _Received:
    conversation: Conversation
    event: MessageReceived
    identity_id: int | None
    user_id: int | None
    at: datetime
    is_talk: bool = False
    error: str | None = None


@dataclass(slots=True)
class BatchStore:
    """A `ChatStore` in memory. Until they are stored, messages have negative ids: -1 is the first."""

    loaded: Loaded
    _messages: list[_Received | OutgoingMessage] = field(default_factory=list)
    _recorded: set[tuple[int, str]] = field(default_factory=set)
    _histories: dict[int, AnswerHistory] = field(default_factory=dict)
    _changed_histories: set[int] = field(default_factory=set)

    def link_of(self, sender: Sender, hashed: bytes) -> tuple[TelegramLink, User] | None:
        """See `ChatStore`."""
        return self.loaded.links.get((sender.id, hashed))

    def conversation(
        self, sender: Sender, chat: Chat, hashed: bytes, *, workspace_id: int, person: Person | None, user: User | None
    ) -> Conversation:
        """See `ChatStore`. Raises NotLoaded."""
        conversation = self.loaded.met.conversations.get((workspace_id, sender.id, hashed))
        if conversation is None:
            raise NotLoaded
        return conversation

    def record(
        self, conversation: Conversation, event: MessageReceived, user: User | None, *, is_talk: bool
    ) -> int | None:
        """See `ChatStore`. Raises NotLoaded for a message that changes an earlier one."""
        if event.edited:
            raise NotLoaded
        place = conversation.id, event.message_id
        if place in self.loaded.known or place in self._recorded:
            return None
        self._recorded.add(place)
        identity_id = conversation.identity_id
        if event.sender is not None:
            name = conversation.workspace_id, identity_hash(conversation.channel, event.sender.id)
            identity_id = self.loaded.met.identities[name].id
        user_id = user.id if user is not None else None
        self._messages.append(_Received(conversation, event, identity_id, user_id, clock.now(), is_talk))
        return -len(self._messages)

    def send(self, message: OutgoingMessage) -> int:
        """See `ChatStore`."""
        self._messages.append(message)
        return -len(self._messages)

    def history(self, conversation: Conversation) -> AnswerHistory:
        """See `ChatStore`."""
        known = self._histories.get(conversation.id)
        if known is None:
            known = self._histories[conversation.id] = AnswerHistory.from_json(conversation.recent_answers)
        return known

    def keep_history(self, conversation: Conversation, history: AnswerHistory) -> None:
        """See `ChatStore`."""
        self._changed_histories.add(conversation.id)

    def waiting(self, conversation: Conversation, history: AnswerHistory) -> set[int]:
        """See `ChatStore`. What the batch itself adds waits."""
        ids = (answer.message_id for answer in history.answers)
        return {message_id for message_id in ids if message_id < 0 or message_id in self.loaded.waiting}

    def note_unanswered(self, conversation: Conversation, message_id: int, code: str) -> None:
        """See `ChatStore`."""
        message = self._messages[-message_id - 1]
        if isinstance(message, _Received):
            message.error = code

    def write(self) -> None:
        """Stores everything. Runs in the system scope."""
        ids = bulk.reserve_ids(Message, len(self._messages))
        outbox, rows, parts, notes = OutboxRows(), [], [], []
        for message_id, message in zip(ids, self._messages, strict=True):
            if isinstance(message, OutgoingMessage):
                row = outbox.row_of(message)
                outbox.add_deliveries(message, message_id)
            else:
                row = message_rows.message_row(
                    message.conversation,
                    message.event,
                    message.at,
                    identity_id=message.identity_id,
                    user_id=message.user_id,
                )
                row["error"] = message.error
                parts.append(message_rows.part_row(message_id, message.conversation, message.event, message.at))
            row["id"] = message_id
            rows.append(row)
            names = ("message_id", message_id), ("conversation_id", row["conversation_id"])
            notes.append(live.Note(row["workspace_id"], "messages", names))
        bulk.insert_many(Message, rows)
        take_ids(parts)
        bulk.insert_many(MessagePart, parts)
        outbox.store_deliveries()
        self._write_files(ids)
        self._write_contacts()
        self._write_conversations(ids)
        if notes:
            live.note_many(notes)
        self._tell(ids)

    def _write_files(self, ids: Sequence[int]) -> None:
        """The rows of files in private chats; a bot's stay at the provider until somebody asks for one."""
        with_files = [
            (message_id, message)
            for message_id, message in zip(ids, self._messages, strict=True)
            if isinstance(message, _Received) and message.event.media and message.event.chat.is_private
        ]
        file_ids = iter(bulk.reserve_ids(MessageFile, sum(len(message.event.media) for _, message in with_files)))
        bulk.insert_many(
            MessageFile,
            [
                inbox.media.row_of(
                    next(file_ids), message_id, position, message.conversation.workspace_id, file, "remote"
                )
                for message_id, message in with_files
                for position, file in enumerate(message.event.media)
            ],
        )

    def _write_contacts(self) -> None:
        """Contacts of people who talk and have none yet."""
        identities = {identity.id: identity for identity in self.loaded.met.identities.values()}
        writers: dict[int, Writer] = {}
        for message in self._messages:
            if isinstance(message, _Received) and message.is_talk and message.identity_id is not None:
                identity = identities[message.identity_id]
                if identity.contact_id is None:
                    writers[identity.id] = received.writer_of(identity, message.event.sender)
        ensure(list(writers.values()))

    def _tell(self, ids: Sequence[int]) -> None:
        wrote = tuple(
            ContactWrote(message.conversation.id, message.identity_id, message_id, message.event.text)
            for message_id, message in zip(ids, self._messages, strict=True)
            if isinstance(message, _Received) and message.event.chat.is_private
        )
        if wrote:
            events.publish(ContactsWrote(wrote))
        stored_words = tuple(
            StoredWords(
                message_id,
                message.conversation.workspace_id,
                message.conversation.id,
                message.event.date or message.at,
                message_rows.without_tokens(message.event.text),
                bool(message.event.media),
            )
            for message_id, message in zip(ids, self._messages, strict=True)
            if isinstance(message, _Received) and (message.is_talk or message.conversation.in_inbox)
        )
        if stored_words:
            events.publish(MessagesStored(stored_words))

    def _write_conversations(self, message_ids: Sequence[int]) -> None:
        ids = {-number: message_id for number, message_id in enumerate(message_ids, 1)}
        talks: dict[int, Inbound] = {}
        changes: dict[int, dict[str, Any]] = {}
        for conversation_id, change in self.loaded.met.changes.items():
            changes[conversation_id] = dict(change)
        conversations = {row.id: row for row in self.loaded.met.conversations.values()}
        for message_id, message in zip(message_ids, self._messages, strict=True):
            conversations[message.conversation.id] = message.conversation
            change = changes.setdefault(message.conversation.id, {})
            if isinstance(message, _Received):
                change["last_message_at"] = message.at
                # Only the provider's own time: it is compared with the time of a block, which comes in another order.
                date, seen = message.event.date, change.get("last_inbound_at", message.conversation.last_inbound_at)
                if date is not None and (seen is None or seen < date):
                    change["last_inbound_at"] = date
                if message.is_talk:
                    talk = talks.setdefault(message.conversation.id, _inbound_of(message.conversation))
                    talk.add(message_id, date or message.at)
            elif message.code is None:
                change["last_message_at"] = message.created_at
        for conversation_id in self._changed_histories:
            changes.setdefault(conversation_id, {})["recent_answers"] = self._histories[conversation_id].to_json(ids)
        items = []
        for conversation_id, change in changes.items():
            item = talks.get(conversation_id) or _inbound_of(conversations[conversation_id])
            item.columns = change
            items.append(item)
        inbound_state.write(items)


def _inbound_of(conversation: Conversation) -> Inbound:
    return Inbound(conversation.id, conversation.workspace_id, conversation.sender_id, conversation.channel)
