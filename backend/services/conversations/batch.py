"""Conversations, identities and inbound messages of many events at once: each step is one statement, however many.

The same rows as `find_or_create`, `identity_of` and `record_inbound` make, for a transaction that handles a batch. Runs
in the system scope, as a batch holds events of several workspaces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from backend.channels.inbound import Chat, Person
from backend.core import bulk
from backend.core.database import db
from backend.models import Conversation, Identity, Message, MessagePart, Sender
from backend.services.conversations import chats, identities
from backend.services.conversations.hashing import chat_hash, identity_hash

ConversationName = tuple[int, int, bytes]
"""What makes a conversation unique: its workspace, its sender and the chat's hash."""
IdentityName = tuple[int, bytes]
"""What makes an identity unique: its workspace and the person's hash."""


@dataclass(frozen=True, slots=True)
class Encounter:
    """A chat that one event of a batch comes from, as a workspace sees it, and who wrote. `user_id` says which person
    of the workspace that is, where it is known."""

    workspace_id: int
    sender: Sender
    chat: Chat
    person: Person | None = None
    user_id: int | None = None

    @property
    def name(self) -> ConversationName:
        """The conversation's name."""
        return self.workspace_id, self.sender.id, chat_hash(self.sender.channel, self.sender.id, self.chat.id)

    @property
    def identity_name(self) -> IdentityName | None:
        """The name of the writer's identity."""
        if self.person is None:
            return None
        return self.workspace_id, identity_hash(self.sender.channel, self.person.id)


@dataclass(frozen=True, slots=True)
class Met:
    """The rows of a batch's encounters, and what has to change in the conversations (by id)."""

    conversations: dict[ConversationName, Conversation]
    identities: dict[IdentityName, Identity]
    changes: dict[int, dict[str, Any]]


def meet(encounters: Iterable[Encounter]) -> Met:
    """Loads the conversations and identities of the encounters, and makes those that are met for the first time."""
    of_chats, of_people = {}, {}
    for encounter in encounters:
        of_chats[encounter.name] = encounter
        if (name := encounter.identity_name) is not None:
            # One person writes in private and in groups: only in private is it known whose they are.
            of_people[name, encounter.chat.is_private] = encounter
    people = _identities(of_people)
    known = _conversations(of_chats)
    changes: dict[int, dict[str, Any]] = {}
    for conversation_name, encounter in of_chats.items():
        conversation, identity_name = known[conversation_name], encounter.identity_name
        identity = people[identity_name] if identity_name is not None else None
        changed = chats.changes_of(conversation, encounter.chat, encounter.person, identity)
        if changed:
            changes[conversation.id] = changed
    return Met(known, people, changes)


def known_messages(places: Sequence[tuple[Conversation, str]]) -> set[tuple[int, str]]:
    """Which of these provider's ids of messages are known in their conversations: (conversation's id, message's id)."""
    if not places:
        return set()
    values = {
        "senders": [conversation.sender_id for conversation, _ in places],
        "chats": [conversation.chat_key for conversation, _ in places],
        "messages": [external_id for _, external_id in places],
    }
    return {(row.conversation_id, row.external_id) for row in db.session.execute(_KNOWN, values)}


def _identities(wanted: dict[tuple[IdentityName, bool], Encounter]) -> dict[IdentityName, Identity]:
    met = {name: encounter for (name, _), encounter in wanted.items()}
    known = _identities_by_name(met)
    # In the order of their names, so that two processes that meet the same people never wait for each other in a ring.
    new = sorted(name for name in met if name not in known)
    if new:
        rows = []
        for name, identity_id in zip(new, bulk.reserve_ids(Identity, len(new)), strict=True):
            person, channel = met[name].person, met[name].sender.channel
            if person is not None:
                rows.append(identities.new_row(identity_id, channel, person, name[1], name[0]))
        bulk.insert_many(Identity, rows, or_nothing=True)
        known |= _identities_by_name(new)
    changed = False
    for (name, is_private), encounter in wanted.items():
        if encounter.person is not None:
            user_id = encounter.user_id if is_private else None
            changed = identities.follow(known[name], encounter.person, user_id) or changed
    if changed:
        db.session.flush()
    return known


def _conversations(wanted: dict[ConversationName, Encounter]) -> dict[ConversationName, Conversation]:
    known = _conversations_by_name(wanted)
    new = sorted(name for name in wanted if name not in known)
    if new:
        rows = []
        for name, conversation_id in zip(new, bulk.reserve_ids(Conversation, len(new)), strict=True):
            encounter = wanted[name]
            rows.append(chats.new_row(conversation_id, encounter.sender, encounter.chat, name[2], name[0]))
        bulk.insert_many(Conversation, rows, or_nothing=True)
        known |= _conversations_by_name(new)
    return known


def _identities_by_name(names: Collection[IdentityName]) -> dict[IdentityName, Identity]:
    if not names:
        return {}
    values = {"workspaces": [name[0] for name in names], "hashes": [name[1] for name in names]}
    rows = db.session.execute(_IDENTITIES, values).scalars()
    return {(identity.workspace_id, identity.external_hash): identity for identity in rows}


def _conversations_by_name(names: Collection[ConversationName]) -> dict[ConversationName, Conversation]:
    if not names:
        return {}
    values = {
        "workspaces": [name[0] for name in names],
        "senders": [name[1] for name in names],
        "hashes": [name[2] for name in names],
    }
    rows = db.session.execute(_CONVERSATIONS, values).scalars()
    return {(row.workspace_id, row.sender_id, row.chat_hash): row for row in rows}


def _list(name: str, of: Any) -> Any:
    return bindparam(name, type_=ARRAY(of))


# Built once each: building one takes longer than carrying it out. What the session still holds is read again.
_people = (
    func.unnest(_list("workspaces", BigInteger), _list("hashes", LargeBinary))
    .table_valued("workspace_id", "hash")
    .render_derived("wanted")
)
_IDENTITIES = (
    select(Identity)
    .join(_people, (Identity.workspace_id == _people.c.workspace_id) & (Identity.external_hash == _people.c.hash))
    .execution_options(populate_existing=True)
)
_chats = (
    func.unnest(_list("workspaces", BigInteger), _list("senders", BigInteger), _list("hashes", LargeBinary))
    .table_valued("workspace_id", "sender_id", "hash")
    .render_derived("wanted")
)
_CONVERSATIONS = (
    select(Conversation)
    .join(
        _chats,
        (Conversation.workspace_id == _chats.c.workspace_id)
        & (Conversation.sender_id == _chats.c.sender_id)
        & (Conversation.chat_hash == _chats.c.hash),
    )
    .execution_options(populate_existing=True)
)
_places = (
    func.unnest(_list("senders", BigInteger), _list("chats", BigInteger), _list("messages", Text))
    .table_valued("sender_id", "chat_key", "external_id")
    .render_derived("wanted")
)
_KNOWN = (
    select(Message.conversation_id, MessagePart.external_id)
    .join(MessagePart, MessagePart.message_id == Message.id)
    .join(
        _places,
        (MessagePart.sender_id == _places.c.sender_id)
        & (MessagePart.chat_key == _places.c.chat_key)
        & (MessagePart.external_id == _places.c.external_id),
    )
)
