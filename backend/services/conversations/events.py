"""Events about conversations, published in the system scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class ChatRekeyed(Event):
    """A sender's conversations with a chat are known by the chat's new id."""

    sender_id: int
    old_chat_id: str
    new_chat_id: str


@dataclass(frozen=True, slots=True)
class ContactWrote(Event):
    """The other side of a private conversation wrote. `is_automatic`: an away message or a greeting, no person."""

    conversation_id: int
    identity_id: int | None
    message_id: int
    text: str = field(repr=False)
    is_automatic: bool = False


@dataclass(frozen=True, slots=True)
class ContactsWrote(Event):
    """The same of many messages at once, for transactions that handle a batch: none of them is automatic."""

    messages: tuple[ContactWrote, ...]


@dataclass(frozen=True, slots=True)
class StoredWords:
    """What a message of a conversation of the inbox says, at its moment in the thread."""

    message_id: int
    workspace_id: int
    conversation_id: int
    at: datetime
    text: str = field(repr=False)
    has_file: bool = False


@dataclass(frozen=True, slots=True)
class MessagesStored(Event):
    """Messages that were not sent from here were stored, or say something else now: one event for a whole batch."""

    messages: tuple[StoredWords, ...]


@dataclass(frozen=True, slots=True)
class WindowClosesSoon(Event):
    """A person waits for an answer that can be given for another hour only. Published in the workspace's scope."""

    workspace_id: int
    conversation_id: int
    assignee_id: int | None
    reply_until: datetime


@dataclass(frozen=True, slots=True)
class ContactReacted(Event):
    """The other side reacted to a message; `message_id` is None for one that is not known here."""

    conversation_id: int
    identity_id: int | None
    message_id: int | None


@dataclass(frozen=True, slots=True)
class ContactCalled(Event):
    """The other side called."""

    conversation_id: int
    identity_id: int | None


@dataclass(frozen=True, slots=True)
class OperatorWrote(Event):
    """A message went out in a sender's name that was not sent from here: by a person in the provider's own
    application; `at` is when, as the provider says."""

    conversation_id: int
    message_id: int
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessagesDeleted(Event):
    """Messages of a conversation were taken back at the provider, by either side."""

    conversation_id: int
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadUpTo(Event):
    """The other side has read a conversation up to and with the provider's id of a message; `read_at` is when that one
    was read, where the provider tells."""

    conversation_id: int
    external_id: str
    read_at: datetime | None = None
