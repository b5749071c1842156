"""The plan of an account's campaigns: who gets which step when. Pure: simulated, shown and carried out by one function.

At each moment at which the account may speak, a follow-up that is due goes before first messages, and of several
campaigns the one that was served longest ago has its turn. Where nobody's hours are open, the plan goes on at the next
opening.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import islice
from typing import Final, NamedTuple

from backend.services.campaigns import pace, windows
from backend.services.campaigns.pace import Ceilings, Uses
from backend.services.campaigns.windows import Hours

TOO_LATE: Final = timedelta(days=14)
"""A follow-up that could not go out this long after it was due is left out."""
LOOKUPS_A_DAY: Final = 30
LOOKUP_SPACING: Final = timedelta(seconds=3)
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipient's next step. `delays` are the days after which the steps that follow are due, counted from the step
    before. `place` is the recipient's place in the audience."""

    recipient_id: int
    campaign_id: int
    step: int
    due_at: datetime
    hours: Hours
    place: int
    delays: tuple[int, ...] = ()
    needs_lookup: bool = False
    held_by: str | None = None
    """What makes it due later than its place would."""

    @property
    def is_follow_up(self) -> bool:
        """Whether the recipient has got a message of the campaign before."""
        return self.step > 1


class Planned(NamedTuple):
    """A message of the plan; `bound_by` says what kept it until then: hour, day, ramp, window, lookups, or None."""

    candidate: Candidate
    at: datetime
    bound_by: str | None


class LeftOut(NamedTuple):
    """A step that never goes out: `too_late`, `no_telegram`, or `never_open` where no opening is ever shared."""

    candidate: Candidate
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The part of the recipients who answer each message, and of those to be looked up who are found: 0 to 1.

    The same recipients answer and are found each time it is asked.
    """

    reply_rate: float = 0.0
    found_rate: float = 1.0


NO_ANSWERS: Final = Assumptions()
"""Everybody is found and nobody answers."""


def plan(
    now: datetime,
    ceilings: Ceilings,
    uses: Uses,
    candidates: Iterable[Candidate],
    *,
    last_served: Mapping[int, datetime] | None = None,
    assumptions: Assumptions = NO_ANSWERS,
    lookups: Iterable[datetime] = (),
) -> Iterator[Planned | LeftOut]:
    """Everything from `now` on, in order of time. Times are aware UTC.

    `last_served`: when each campaign last sent something. `lookups`: when the account looked somebody up in the last
    24 hours.
    """
    return _Plan(now, ceilings, uses, candidates, last_served or {}, assumptions, list(lookups)).run()


def follow_up_due(sent_at: datetime, days: int) -> datetime:
    """When a step is due, so many days after the one before was sent, to the minute, as a plan is: the second at which
    something happened to go out changes nobody's place."""
    return sent_at.replace(second=0, microsecond=0) + timedelta(days=days)


def messages(planned: Iterable[Planned | LeftOut], most: int) -> list[Planned]:
    """The first messages of a plan, at most so many."""
    return list(islice((item for item in planned if isinstance(item, Planned)), most))


class _Plan:
    def __init__(
        self,
        now: datetime,
        ceilings: Ceilings,
        uses: Uses,
        candidates: Iterable[Candidate],
        last_served: Mapping[int, datetime],
        assumptions: Assumptions,
        lookups: list[datetime],
    ) -> None:
        self._moment, self._ceilings = now, ceilings
        self._uses = Uses(list(uses.counted), uses.last_try)
        self._served = dict(last_served)
        self._replies, self._findings = _Share(assumptions.reply_rate), _Share(assumptions.found_rate)
        self._lookups = _Lookups(now, sorted(lookups))
        self._openings: dict[Hours, _Openings] = {}
        self._queues: dict[tuple[bool, int], dict[Hours, _Queue]] = {}
        for candidate in candidates:
            self._put(candidate)

    def run(self) -> Iterator[Planned | LeftOut]:
        bound_by: str | None = None
        while any(queue for queues in self._queues.values() for queue in queues.values()):
            slot = pace.next_slot(self._ceilings, self._uses, self._moment)
            if slot.at > self._moment:
                self._moment, bound_by = slot.at, slot.bound_by
            queue = self._choose()
            if queue is None:
                following, reason = self._next_available()
                if following is None:
                    yield from self._never_open()
                    return
                self._moment, bound_by = following, reason
                continue
            candidate = queue.pop()
            left_out = self._left_out(candidate)
            if left_out is not None:
                yield left_out
            elif self._looked_up(candidate):
                yield Planned(candidate, self._moment, bound_by)
                self._note(candidate)
                bound_by = None

    def _put(self, candidate: Candidate) -> None:
        by_hours = self._queues.setdefault((candidate.is_follow_up, candidate.campaign_id), {})
        if candidate.hours not in by_hours:
            openings = self._openings.setdefault(candidate.hours, _Openings(candidate.hours))
            by_hours[candidate.hours] = _Queue(openings)
        by_hours[candidate.hours].put(candidate)

    def _choose(self) -> _Queue | None:
        """The queue whose first candidate speaks now."""
        turns = sorted(self._queues, key=lambda key: (not key[0], self._served.get(key[1], NEVER), key[1]))
        for key in turns:
            ready = [queue for queue in self._queues[key].values() if queue.is_ready(self._moment)]
            if ready:
                return min(ready, key=lambda queue: queue.head())
        return None

    def _next_available(self) -> tuple[datetime | None, str | None]:
        moments = [
            (moment, reason)
            for queues in self._queues.values()
            for queue in queues.values()
            if queue
            for moment, reason in [queue.next_available(self._moment)]
            if moment is not None
        ]
        return min(moments, default=(None, "window"), key=lambda pair: pair[0])

    def _left_out(self, candidate: Candidate) -> LeftOut | None:
        if candidate.is_follow_up and self._moment > candidate.due_at + TOO_LATE:
            return LeftOut(candidate, self._moment, "too_late")
        return None

    def _looked_up(self, candidate: Candidate) -> bool:
        """Whether the candidate can be written to now; one who has to be looked up first waits for that."""
        if not candidate.needs_lookup:
            return True
        at = self._lookups.take()
        if not self._findings.next():
            return False
        if at > self._moment:
            self._put(replace(candidate, needs_lookup=False, due_at=at, held_by="lookups"))
            return False
        return True

    def _note(self, candidate: Candidate) -> None:
        self._uses.add(self._moment)
        self._served[candidate.campaign_id] = self._moment
        if candidate.delays and not self._replies.next():
            self._put(
                replace(
                    candidate,
                    step=candidate.step + 1,
                    due_at=follow_up_due(self._moment, candidate.delays[0]),
                    delays=candidate.delays[1:],
                    needs_lookup=False,
                    held_by=None,
                )
            )

    def _never_open(self) -> Iterator[LeftOut]:
        for queues in self._queues.values():
            for queue in queues.values():
                while queue:
                    yield LeftOut(queue.pop(), self._moment, "never_open")


@dataclass
class _Share:
    """Says yes to this part of the questions, evenly and rounded: of one question at 0.8 to one."""

    rate: float
    _owed: float = 0.5

    def next(self) -> bool:
        self._owed += self.rate
        if self._owed < 1.0 - 1e-9:
            return False
        self._owed -= 1.0
        return True


@dataclass
class _Lookups:
    """When the next people can be looked up: so many a day, and not at once."""

    now: datetime
    done: list[datetime]

    def take(self) -> datetime:
        at = max(self.now, self.done[-1] + LOOKUP_SPACING) if self.done else self.now
        if len(self.done) >= LOOKUPS_A_DAY:
            at = max(at, self.done[-LOOKUPS_A_DAY] + pace.DAY)
        self.done.append(at)
        return at


@dataclass
class _Openings:
    """When hours are open, asked in order of time: what was found last is kept."""

    hours: Hours
    _asked: datetime = NEVER
    _opening: datetime | None = NEVER
    _closing: datetime | None = NEVER

    def next(self, moment: datetime) -> datetime | None:
        if not self.hours:
            return moment
        if self._opening is None or self._asked <= moment <= self._opening:
            return self._opening
        if self._opening <= moment and self._closing is not None and moment < self._closing:
            return moment
        self._asked, self._opening = moment, windows.next_opening(self.hours, moment)
        self._closing = None if self._opening is None else windows.closing(self.hours, self._opening)
        return self._opening


@dataclass
class _Queue:
    """Candidates of one campaign, kind and hours: those that are due in their order, the others by when they are."""

    openings: _Openings
    _waiting: list[tuple[datetime, int, int, Candidate]] = field(default_factory=list)
    _ready: list[tuple[datetime, int, int, Candidate]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._waiting or self._ready)

    def put(self, candidate: Candidate) -> None:
        heappush(self._waiting, (candidate.due_at, candidate.place, candidate.recipient_id, candidate))

    def is_ready(self, moment: datetime) -> bool:
        while self._waiting and self._waiting[0][0] <= moment:
            due_at, place, recipient_id, candidate = heappop(self._waiting)
            first = due_at if candidate.is_follow_up else NEVER
            heappush(self._ready, (first, place, recipient_id, candidate))
        return bool(self._ready) and self.openings.next(moment) == moment

    def head(self) -> tuple[datetime, int, int]:
        return self._ready[0][:3]

    def pop(self) -> Candidate:
        return heappop(self._ready or self._waiting)[3]

    def next_available(self, moment: datetime) -> tuple[datetime | None, str | None]:
        if self._ready:
            return self.openings.next(moment), "window"
        due_at, _, _, candidate = self._waiting[0]
        opening = self.openings.next(max(moment, due_at))
        return opening, (candidate.held_by if opening == due_at else "window")
