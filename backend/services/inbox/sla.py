"""The timers of answers: the first one, and the next. Only what a member says stops them. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from backend.services.inbox.working_hours import WorkingHours, due_at

FIRST: Final = "first_response"
NEXT: Final = "next_response"


class Waits(Protocol):
    """What the timers read of a conversation; moments are aware."""

    status: Any
    waiting_since: Any
    first_inbound_at: Any
    answered_at: Any


class Aims(Protocol):
    """What a workspace aims at, in minutes of working time."""

    first_response_minutes: Any
    next_response_minutes: Any


@dataclass(frozen=True, slots=True)
class Timer:
    """One timer: when the answer is due, when it came (of the first one only), and whether it is late now or was."""

    due_at: datetime
    answered_at: datetime | None
    late: bool


@dataclass(frozen=True, slots=True)
class Due:
    """The answer that is due now: of which kind, counted from when, and until when."""

    kind: str
    since: datetime
    at: datetime


def due(conversation: Waits, aims: Aims, hours: WorkingHours | None) -> Due | None:
    """The answer that the person waits for; None while they wait for none, or the workspace has no aim for it."""
    since = conversation.waiting_since
    if since is None:
        return None
    kind = FIRST if conversation.answered_at is None else NEXT
    minutes = aims.first_response_minutes if kind == FIRST else aims.next_response_minutes
    return None if minutes is None else Due(kind, since, due_at(hours, since, minutes))


def timers(conversation: Waits, aims: Aims, hours: WorkingHours | None, now: datetime) -> dict[str, Timer | None]:
    """Both timers as people see them; None for one that does not run and never ended.

    A timer runs while a person is to answer; while the assistant answers, or the conversation rests, nothing is late.
    """
    waits = due(conversation, aims, hours)
    runs = conversation.status == "open"
    first = waits if waits is not None and waits.kind == FIRST else None
    shown: dict[str, Timer | None] = {FIRST: None, NEXT: None}
    if first is not None:
        shown[FIRST] = Timer(first.at, None, runs and first.at <= now)
    elif conversation.answered_at is not None and conversation.first_inbound_at is not None:
        shown[FIRST] = _ended(conversation, aims, hours)
    if waits is not None and waits.kind == NEXT:
        shown[NEXT] = Timer(waits.at, None, runs and waits.at <= now)
    return shown


def _ended(conversation: Waits, aims: Aims, hours: WorkingHours | None) -> Timer | None:
    """The first answer, which was given."""
    if aims.first_response_minutes is None:
        return None
    at = due_at(hours, conversation.first_inbound_at, aims.first_response_minutes)
    return Timer(at, conversation.answered_at, conversation.answered_at > at)
