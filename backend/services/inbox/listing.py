"""The inbox's list: conversations by filters, the latest activity first, and how many there are in each tab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from backend.core import clock
from backend.core.database import db
from backend.models import Conversation, ConversationLabel, Identity, Label
from backend.services import paging, text_search
from backend.services.inbox import access, keyset, names, search

STATUSES: Final = ("bot", "open", "waiting", "snoozed", "closed")
MAX_COUNT: Final = 1000
"""Up to here a tab's conversations are counted; then it says so many, and there may be more."""
_LIST: Final = "conversations"


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """What the conversations have in common; what is None or empty does not count.

    `assignee` is a person's id, or `none`. `label` are ids or names, all of which it has. `late`: a person should have
    answered by now. `q` is looked for in names and in what was written.
    """

    status: tuple[str, ...] = ()
    channel: str | None = None
    integration_id: int | None = None
    assignee: int | Literal["none"] | None = None
    label: tuple[str, ...] = ()
    unread: bool | None = None
    late: bool | None = None
    contact_id: int | None = None
    q: str | None = None


def page(
    user_id: int | None,
    wanted: ConversationFilter,
    *,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[Conversation], str | None]:
    """The conversations that this person may see and that pass the filter, the latest activity first.

    Raises Invalid (`invalid_cursor`, `query_too_short`), Unavailable (`search_too_slow`).
    """
    query = select(Conversation).where(access.condition(user_id), *conditions(user_id, wanted))
    at = Conversation.last_activity_at
    with text_search.bounded():
        rows, following = keyset.page(query, _LIST, at, Conversation.id, cursor=cursor, limit=limit)
    return [row[0] for row in rows], following


def ids(user_id: int | None, wanted: ConversationFilter, *, limit: int) -> list[int]:
    """The ids of the first conversations that pass the filter."""
    query = select(Conversation.id).where(access.condition(user_id), *conditions(user_id, wanted))
    query = query.order_by(Conversation.last_activity_at.desc(), Conversation.id.desc()).limit(limit)
    with text_search.bounded():
        return list(db.session.scalars(query))


def counts(user_id: int | None) -> dict[str, int]:
    """How many conversations each tab has, each counted up to `MAX_COUNT`: by status, `mine`, `unassigned` (open ones
    of nobody), `unread`, `late`. One statement."""
    visible, is_open = access.condition(user_id), Conversation.status == "open"
    tabs: dict[str, ColumnElement[bool]] = {status: Conversation.status == status for status in STATUSES}
    tabs["mine"] = and_(Conversation.assignee_id == (user_id or 0), Conversation.status != "closed")
    tabs["unassigned"] = and_(is_open, Conversation.assignee_id.is_(None))
    tabs["unread"] = Conversation.unread_count > 0
    tabs["late"] = is_late(clock.now())
    counted = [
        select(func.count())
        .select_from(select(Conversation.id).where(visible, condition).limit(MAX_COUNT).subquery(f"tab_{name}"))
        .scalar_subquery()
        .label(name)
        for name, condition in tabs.items()
    ]
    return dict(db.session.execute(select(*counted)).mappings().one())


def is_late(now: datetime) -> ColumnElement[bool]:
    """Whether a person should have answered by now (aware)."""
    return and_(
        Conversation.in_inbox,
        Conversation.status == "open",
        Conversation.waiting_since.is_not(None),
        Conversation.sla_since == Conversation.waiting_since,
        Conversation.sla_due_at <= now,
    )


def conditions(user_id: int | None, wanted: ConversationFilter) -> list[ColumnElement[bool]]:
    """The filter as conditions over `Conversation`. Raises Invalid."""
    matches: list[ColumnElement[bool]] = []
    if wanted.status:
        only = wanted.status[0] if len(wanted.status) == 1 else None
        matches.append(Conversation.status == only if only else Conversation.status.in_(wanted.status))
    if wanted.channel is not None:
        matches.append(Conversation.channel == wanted.channel)
    if wanted.integration_id is not None:
        matches.append(Conversation.sender_id == wanted.integration_id)
    if wanted.assignee == "none":
        matches.append(Conversation.assignee_id.is_(None))
    elif wanted.assignee is not None:
        matches.append(Conversation.assignee_id == wanted.assignee)
    matches += [Conversation.id.in_(_labelled(label)) for label in wanted.label]
    if wanted.unread is not None:
        matches.append(Conversation.unread_count > 0 if wanted.unread else Conversation.unread_count == 0)
    if wanted.late:
        matches.append(is_late(clock.now()))
    if wanted.contact_id is not None:
        of_contact = select(Identity.id).where(Identity.contact_id == wanted.contact_id)
        matches.append(Conversation.identity_id.in_(of_contact))
    if wanted.q:
        matches.append(_holding(user_id, wanted.q))
    return matches


def _labelled(label: str) -> Select[Any]:
    query = select(ConversationLabel.conversation_id)
    if label.isdigit() and len(label) <= 18:
        return query.where(ConversationLabel.label_id == int(label))
    named = Label.name_folded == label.strip().casefold()
    return query.join(Label, Label.id == ConversationLabel.label_id).where(named)


def _holding(user_id: int | None, text: str) -> ColumnElement[bool]:
    """Conversations with a person of such a name, or in which it was written of late."""
    return or_(names.conversation_is_called(text.strip()), Conversation.id.in_(search.conversation_ids(user_id, text)))


def labels_of(conversation_ids: Sequence[int]) -> dict[int, list[Label]]:
    """The labels of these conversations, sorted by name."""
    query = (
        select(ConversationLabel.conversation_id, Label)
        .join(Label, Label.id == ConversationLabel.label_id)
        .where(ConversationLabel.conversation_id.in_(conversation_ids))
        .order_by(Label.name_folded)
    )
    matches: dict[int, list[Label]] = {}
    for conversation_id, label in db.session.execute(query):
        matches.setdefault(conversation_id, []).append(label)
    return matches
