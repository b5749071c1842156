"""Messages that hold the words of a search, the newest first, in a time that is bounded whatever is searched for.

They are looked for in two steps: among the newest, whose words are read one after the other, which is enough for a
common word; then by the index of words, which is fast for a rare one. So neither reads a whole history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import ColumnElement, Select, cast, func, literal, select
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import aliased

from backend.core.database import db, system_scope, workspace_id_in_scope
from backend.models import Conversation, Identity, MessageWords
from backend.services.inbox import access
from backend.services.inbox.keyset import Place
from backend.services.inbox.words import Search

_MILLISECONDS: Final = 1_000
"""For each statement; what is not found by then is said to be missing."""
_NEWEST: Final = 5_000
"""Messages whose words are read one after the other."""
_MAX_HITS: Final = 20_000
"""Messages that the index may find before it stops."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which messages are searched: of a conversation, of a contact, `since` and `until` a moment (aware)."""

    conversation_id: int | None = None
    contact_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A message in which it was found."""

    message_id: int
    conversation_id: int
    at: datetime


class Bounded:
    """Statements that have a time each: one that takes longer finds nothing, and `partial` says so."""

    def __init__(self) -> None:
        self.partial = False

    def __enter__(self) -> Bounded:
        # A sequential scan looks cheap to a planner that expects many hits and stops early; without hits it reads all.
        names_ = (("statement_timeout", str(_MILLISECONDS)), ("enable_seqscan", "off"))
        known = [func.current_setting(name) for name, _ in names_]
        row = db.session.execute(select(*known, *(func.set_config(name, value, True) for name, value in names_))).one()
        self._before = [(name, row[place]) for place, (name, _) in enumerate(names_)]
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            db.session.execute(select(*(func.set_config(name, value, True) for name, value in self._before)))

    def run(self, ask: Callable[[], T], otherwise: T) -> T:
        """What `ask` returns; `otherwise` where it took too long."""
        try:
            with db.session.begin_nested():
                return ask()
        except OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.QueryCanceled):
                raise
            self.partial = True
            return otherwise


def find(
    user_id: int | None, narrowed: Narrowed, search: Search, place: Place | None, limit: int, bounded: Bounded
) -> list[Hit]:
    """The newest messages that hold it, one more than `limit` where there are more."""
    if narrowed.conversation_id is not None or narrowed.contact_id is not None:
        return _run(_in_conversations(user_id, narrowed, search, place), limit)
    newest = _run(_among_newest(user_id, narrowed, search, place), limit)
    if len(newest) > limit:
        return newest
    hits = _run(_by_index(user_id, narrowed, search, place), limit, bounded)
    return hits or newest


def _run(query: Select[Any], limit: int, bounded: Bounded | None = None) -> list[Hit]:
    with system_scope("the query names the workspace itself, in a way that no other index is read by"):
        rows = db.session.execute(query.limit(limit + 1)).all()
    if bounded is not None and rows and rows[0].looked_at > _MAX_HITS:
        bounded.partial = True
    return [Hit(row.message_id, row.conversation_id, row.at) for row in rows]


def _among_newest(user_id: int | None, narrowed: Narrowed, search: Search, place: Place | None) -> Select[Any]:
    query = select(MessageWords).where(MessageWords.workspace_id == workspace_id_in_scope(), *_bounds(narrowed, place))
    query = query.order_by(MessageWords.at.desc(), MessageWords.message_id.desc()).limit(_NEWEST)
    newest = aliased(MessageWords, query.subquery("newest"))
    return _visible(newest, user_id).where(_holds(newest.words, search))


def _by_index(user_id: int | None, narrowed: Narrowed, search: Search, place: Place | None) -> Select[Any]:
    own = MessageWords.workspace_id + 0 == workspace_id_in_scope()
    query = select(MessageWords).where(own, _holds(MessageWords.words, search), *_bounds(narrowed, place))
    some = query.limit(_MAX_HITS + 1).cte("hits").prefix_with("MATERIALIZED")
    hits = aliased(MessageWords, some)
    looked_at = select(func.count()).select_from(some).scalar_subquery().label("looked_at")
    return _visible(hits, user_id).add_columns(looked_at)


def _in_conversations(user_id: int | None, narrowed: Narrowed, search: Search, place: Place | None) -> Select[Any]:
    query = _visible(MessageWords, user_id).where(MessageWords.workspace_id == workspace_id_in_scope())
    query = query.where(_holds(MessageWords.words, search), *_bounds(narrowed, place))
    if narrowed.conversation_id is not None:
        query = query.where(MessageWords.conversation_id == narrowed.conversation_id)
    if narrowed.contact_id is not None:
        of_contact = select(Conversation.id).join(Identity, Identity.id == Conversation.identity_id)
        query = query.where(
            MessageWords.conversation_id.in_(of_contact.where(Identity.contact_id == narrowed.contact_id))
        )
    return query


def _visible(source: Any, user_id: int | None) -> Select[Any]:
    return (
        select(source.message_id, source.conversation_id, source.at)
        .join(Conversation, Conversation.id == source.conversation_id)
        .where(access.condition(user_id), Conversation.workspace_id == workspace_id_in_scope())
        .order_by(source.at.desc(), source.message_id.desc())
    )


def _holds(column: Any, search: Search) -> ColumnElement[bool]:
    holds: ColumnElement[bool] = column.bool_op("@@")(cast(literal(search.tsquery), TSQUERY))
    return holds


def _bounds(narrowed: Narrowed, place: Place | None) -> list[ColumnElement[bool]]:
    at, key = MessageWords.at, MessageWords.message_id
    matches: list[ColumnElement[bool]] = []
    if place is not None:
        matches.append(place.before(at, key))
    if narrowed.since is not None:
        matches.append(at >= narrowed.since)
    if narrowed.until is not None:
        matches.append(at < narrowed.until)
    return matches
