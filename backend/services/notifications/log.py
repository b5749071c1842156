"""The log as people read it: each event with its person, what was decided, and where its message is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from backend.channels import richtext
from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.models import Attempt, Conversation, Delivery, Message, NotificationEvent, Sender, TelegramLink, User
from backend.services import paging, senders
from backend.services.notifications import queries

MAX_ATTEMPTS = 100
"""Of one message, the newest; eight are made of a part at most, but a message may be edited for weeks."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event. `state` is where it ended or stands: `suppressed`, `deferred`, `retrying`, else its message's state;
    `until` when what waits is due; `reason` a code: of the decision, of the wait, or of the failure."""

    event: NotificationEvent
    person: User
    message: Message | None
    state: str
    reason: str | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that came of an event. Without a message there are no attempts, and the decision says why."""

    entry: Entry
    sender: Sender | None
    chat_kind: str | None
    attempts: Sequence[Attempt]
    texts: Sequence[str]
    """What the message says now, a text a part, without formatting."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A person and their link with a bot; None for who has none."""

    person: User
    link: TelegramLink | None


def entries(
    *,
    type_name: str | None = None,
    user_id: int | None = None,
    decision: str | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[Entry], str | None]:
    """The workspace's events, newest first, by four queries however many there are."""
    rows, following = queries.events(
        type_name=type_name, user_id=user_id, decision=decision, cursor=cursor, limit=limit
    )
    return _entries(rows), following


def trace(event_id: int) -> Trace:
    """What came of an event of the workspace in scope. Raises NotFound."""
    entry = _entries([queries.event(event_id)])[0]
    message = entry.message
    if message is None:
        return Trace(entry, None, None, (), ())
    newest = (
        select(Attempt)
        .where(Attempt.workspace_id == current_workspace_id(), Attempt.message_id == message.id)
        .order_by(Attempt.id.desc())
        .limit(MAX_ATTEMPTS)
    )
    chat = db.session.get(Conversation, message.conversation_id)
    return Trace(
        entry,
        senders.by_id(message.sender_id),
        chat.kind if chat is not None else None,
        list(db.session.scalars(newest))[::-1],
        [_text(part) for part in message.body.get("parts", ())],
    )


def linked(
    sender_id: int | None, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[Linked], str | None]:
    """The workspace's people, the oldest first, with their link to this bot; two queries."""
    people, following = paging.page(select(User), User.id, cursor=cursor, limit=limit, descending=False)
    links = db.session.scalars(
        select(TelegramLink).where(
            TelegramLink.sender_id == sender_id, TelegramLink.user_id.in_([person.id for person in people])
        )
    )
    by_person = {link.user_id: link for link in links}
    return [Linked(person, by_person.get(person.id)) for person in people], following


def _entries(events: Sequence[NotificationEvent]) -> list[Entry]:
    people = {
        user.id: user
        for user in db.session.scalars(select(User).where(User.id.in_({event.user_id for event in events})))
    }
    ids = {event.message_id for event in events if event.message_id is not None}
    messages = {message.id: message for message in db.session.scalars(select(Message).where(Message.id.in_(ids)))}
    waiting: dict[int | None, Delivery] = {}
    for delivery in db.session.scalars(
        select(Delivery).where(Delivery.message_id.in_(ids)).order_by(Delivery.part.desc(), Delivery.id.desc())
    ):
        waiting[delivery.message_id] = delivery
    return [_entry(event, people[event.user_id], messages.get(event.message_id or 0), waiting) for event in events]


def _entry(
    event: NotificationEvent, person: User, message: Message | None, waiting: dict[int | None, Delivery]
) -> Entry:
    if message is None:
        # Decided against, or its message was erased since.
        state = "suppressed" if event.decision == "suppressed" else "unknown"
        return Entry(event, person, None, state, event.reason, None)
    due = waiting.get(message.id)
    state, reason, until = message.state, message.error, None
    if state == "queued" and due is not None:
        until = due.due_at if due.due_at > clock.now() else None
        if due.attempts:
            state, reason = "retrying", due.reason
        elif event.decision == "deferred" and until is not None:
            state, reason = "deferred", event.reason
    return Entry(event, person, message, state, reason, until)


def _text(part: Any) -> str:
    text = str(part.get("text") or "") if isinstance(part, dict) else ""
    return richtext.without_markup(richtext.read(text)) if part.get("format") == "html" else text
