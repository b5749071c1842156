"""Finding messages, contacts and conversations by words, in a time that is bounded whatever is searched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from backend.core.database import db
from backend.core.errors import Invalid
from backend.models import Contact, ContactPoint, Conversation, Identity, Message
from backend.services.contacts import identifiers, settings
from backend.services.inbox import access, names, search_hits, texts, words
from backend.services.inbox.keyset import Place
from backend.services.inbox.search_hits import Bounded, Hit, Narrowed
from backend.services.inbox.words import Search

KINDS: Final = ("messages", "contacts", "conversations")
_OF_EACH: Final = 10
"""Contacts and conversations that stand before the messages."""
_MAX_CONVERSATIONS: Final = 1_000
_CURSOR: Final = "search"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: `kinds` of things, `since` and `until` (aware) as bounds of a message's moment, `has` of
    `file` and `link`. A conversation, a contact, a bound or `has` leaves messages only."""

    q: str
    kinds: tuple[str, ...] = KINDS
    conversation_id: int | None = None
    contact_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    has: tuple[str, ...] = ()

    @property
    def is_narrowed(self) -> bool:
        """Whether only messages are asked for, by what only they have."""
        return any((self.conversation_id, self.contact_id, self.since, self.until, self.has))


@dataclass(slots=True)
class Found:
    """What was found: `results` are of the kinds `contact`, `conversation`, `message`; `partial` says that the time or
    the bound of what is searched ended before the end."""

    results: list[dict[str, Any]] = field(default_factory=list)
    next_cursor: str | None = None
    partial: bool = False


def find(user_id: int | None, wanted: Wanted, *, cursor: str | None = None, limit: int) -> Found:
    """What this person may see of it: contacts and conversations first, on the first page, then messages, newest first.

    Raises Invalid (`query_too_short`, `query_too_long`, `invalid_cursor`).
    """
    search = read(wanted.q, wanted.has)
    place = None if cursor is None else Place.decode(_CURSOR, cursor)
    answer = Found()
    with Bounded() as bounded:
        if place is None and not wanted.is_narrowed:
            if "contacts" in wanted.kinds:
                answer.results += bounded.run(lambda: _contacts(wanted.q), [])
            if "conversations" in wanted.kinds:
                answer.results += bounded.run(lambda: _conversations(user_id, wanted.q), [])
        if "messages" in wanted.kinds:
            narrowed = Narrowed(wanted.conversation_id, wanted.contact_id, wanted.since, wanted.until)
            hits: list[Hit] = bounded.run(
                lambda: search_hits.find(user_id, narrowed, search, place, limit, bounded), []
            )
            shown = hits[:limit]
            if len(hits) > limit:
                answer.next_cursor = Place(shown[-1].at, shown[-1].message_id).encode(_CURSOR)
            answer.results += bounded.run(lambda: _messages(shown, search), [])
    answer.partial = bounded.partial
    return answer


def conversation_ids(user_id: int | None, text: str) -> list[int]:
    """The conversations in which this was written, of the newest messages that hold it. Raises Invalid."""
    search, nothing = read(text), list[Hit]()
    with Bounded() as bounded:
        hits = bounded.run(
            lambda: search_hits.find(user_id, Narrowed(), search, None, _MAX_CONVERSATIONS, bounded), nothing
        )
    return list(dict.fromkeys(hit.conversation_id for hit in hits))


def read(text: str, has: Sequence[str] = ()) -> Search:
    """What is searched for. Raises Invalid: `query_too_short`, `query_too_long`."""
    wanted = text.strip()
    if len(wanted) > words.MAX_LENGTH:
        raise Invalid.of("q", "query_too_long", f"Search for at most {words.MAX_LENGTH} characters.")
    search = words.read(wanted, has=has) if len(wanted) >= words.MIN_LENGTH else None
    if search is None:
        raise Invalid.of("q", "query_too_short", "Search for two letters or digits, or more.")
    return search


def _messages(hits: Sequence[Hit], search: Search) -> list[dict[str, Any]]:
    query = (
        select(Message, Conversation.title, Identity.contact_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(Identity, Identity.id == Conversation.identity_id)
        .where(Message.id.in_([hit.message_id for hit in hits]))
    )
    by_id = {row[0].id: row for row in db.session.execute(query)}
    return [
        _result(
            "message",
            hit.message_id,
            by_id[hit.message_id].title,
            words.snippet(texts.searched_text(by_id[hit.message_id][0]), search.marks),
            hit.at,
            conversation_id=hit.conversation_id,
            contact_id=by_id[hit.message_id].contact_id,
        )
        for hit in hits
        if hit.message_id in by_id
    ]


def _contacts(text: str) -> list[dict[str, Any]]:
    hashes = [identifier.hash() for identifier in identifiers.all_of(text, settings.get().region)]
    is_called = names.contact_is_called(text)
    ids = select(Contact.id).where(Contact.erased_at.is_(None), is_called).order_by(Contact.id.desc()).limit(_OF_EACH)
    found_ids = list(db.session.scalars(ids))
    if hashes:
        identified = select(ContactPoint.contact_id).where(ContactPoint.value_hash.in_(hashes)).limit(_OF_EACH)
        found_ids = [*db.session.scalars(identified), *found_ids]
    query = select(Contact).where(Contact.id.in_(found_ids), Contact.erased_at.is_(None))
    by_id = {contact.id: contact for contact in db.session.scalars(query)}
    return [
        _result(
            "contact",
            contact.id,
            " ".join(filter(None, (contact.first_name, contact.last_name))) or contact.company,
            contact.company,
            contact.updated_at,
            contact_id=contact.id,
        )
        for contact_id in list(dict.fromkeys(found_ids))[:_OF_EACH]
        if (contact := by_id.get(contact_id)) is not None
    ]


def _conversations(user_id: int | None, text: str) -> list[dict[str, Any]]:
    query = (
        select(Conversation, Identity.contact_id)
        .outerjoin(Identity, Identity.id == Conversation.identity_id)
        .where(access.condition(user_id), names.conversation_is_called(text))
        .order_by(Conversation.last_activity_at.desc(), Conversation.id.desc())
        .limit(_OF_EACH)
    )
    return [
        _result(
            "conversation",
            row[0].id,
            row[0].title,
            None,
            row[0].last_activity_at,
            conversation_id=row[0].id,
            contact_id=row.contact_id,
        )
        for row in db.session.execute(query)
    ]


def _result(
    kind: str,
    result_id: int,
    title: str | None,
    snippet: str | None,
    at: datetime | None,
    *,
    conversation_id: int | None = None,
    contact_id: int | None = None,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "id": result_id,
        "title": title,
        "snippet": snippet,
        "at": at,
        "conversation_id": conversation_id,
        "contact_id": contact_id,
        "deal_id": None,
    }
