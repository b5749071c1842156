"""The work registry: each kind of work that waits in the database is declared once, by the feature that does it.

RQ's jobs, the sweep, the tick, the metrics and the table in docs/operations.md read this list. A queue's works take
turns of a quarter of a second, so that none holds a worker while another of its queue waits.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Final

from sqlalchemy import Select, or_, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import queue
from backend.core.database import db, system_scope
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool

log = get_logger(__name__)

TURN_SECONDS: Final = 0.25
"""How long one work goes on before the others of its queue have their turns."""
JOB_SECONDS: Final = 0.5
"""How long a queue's job gives turns before it wakes its queue for the rest, so that other queues are served: with the
four there are, each has its next job within two seconds whatever floods the others."""
AWAY: Final = (InterfaceError, OperationalError, PoolTimeout)
"""What a database raises that is away: it is nobody's defect, and ends a job."""


@dataclass
class Turn:
    """One stretch of work of about `seconds`, counted from when it is made."""

    seconds: float = TURN_SECONDS
    monotonic: Callable[[], float] = time.monotonic
    unfinished: bool = False
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = self.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds until the turn is over, at least 0."""
        return max(0.0, self._until - self.monotonic())

    def is_over(self) -> bool:
        """Whether the work should stop here, with `go_on_later` if there may be more to do."""
        return self.monotonic() >= self._until

    def go_on_later(self) -> None:
        """Says that there may be more to do: another turn follows, after those of the other works."""
        self.unfinished = True


Waiting = tuple[Any, ...]
"""Queries (`select`) of which each finds something that waits."""
AskTogether = Callable[[Any, Collection[str]], Collection[str]]
"""Which of the named works have something to do, asked by a session or connection."""


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work: what of it waits now, and how a turn of it is done.

    `waiting` gives queries: there is something to do where one of them finds a row. So many works are asked about by
    one statement. One whose answer takes more than that answers itself, in the system scope, and leaves its transaction
    open; several that can be answered together name the function that does it (`asked_with`).
    `run` commits as it goes, stops soon after the turn is over, and returns how many things it did; it may die at any
    point and begin again in any process. `timed` says that the passing of time makes it due, so that the tick wakes it
    and not the sweep. One that waits for other people's servers has a `pool`: its turn is then a thread, which is
    waited for until the turn is over and goes on by itself.
    """

    name: str
    queue: str
    waiting: Callable[[], Waiting | bool]
    run: Callable[[Turn], int]
    timed: bool = False
    pool: BoundedPool | None = None
    asked_with: AskTogether | None = None

    def is_due(self) -> bool:
        """Whether there is something to do now. Leaves no transaction open."""
        return bool(find_due([self]).works)

    def take_turn(self, turn: Turn) -> int:
        """Does what can be done in one turn, and says in `turn` whether there may be more; returns how many things.

        A turn that goes on in its thread counts as nothing, and wakes its queue should it leave something.
        """
        return self.run(turn) if self.pool is None else _run_in_thread(self, self.pool, turn)


_registered: dict[str, Work] = {}
_turns: Final = count(1)
_last_turns: dict[str, int] = {}


def register(work: Work) -> Work:
    """Declares a work. Raises ValueError for a queue that does not exist."""
    if work.queue not in queue.QUEUES:
        raise ValueError(f"unknown lane {work.queue}")
    _registered[work.name] = work
    return work


def unregister(name: str) -> None:
    """Takes a declaration back. For tests."""
    _registered.pop(name, None)


def registered() -> list[Work]:
    """Every work, by name."""
    return [_registered[name] for name in sorted(_registered)]


def find(name: str) -> Work:
    """The work of this name. Raises KeyError."""
    return _registered[name]


@dataclass(frozen=True, slots=True)
class DueWork:
    """The works that have something to do, which further queries found a row, and the works that could not be asked."""

    works: list[Work]
    further: list[bool]
    defects: list[str]


def find_due(works: Sequence[Work], *further: Select[Any], by: Any = None) -> DueWork:
    """Which of these works have something to do now, and which of the `further` queries find a row.

    One statement, and one for each function by which works are answered together. A work that cannot be asked is
    logged and keeps no other from being asked. Raises what a database raises that is away. Asks `by` a connection in
    autocommit, by default the session, in which it leaves no transaction open.
    """
    by = db.session if by is None else by
    answers: dict[str, bool] = {}
    defects: list[str] = []
    with system_scope("work belongs to the instance"):
        queries: dict[str, Waiting] = {}
        for work in works:
            if work.asked_with is None and (waiting := _guarded(work.name, work.waiting, defects)) is not None:
                if isinstance(waiting, bool) or not waiting:
                    answers[work.name] = bool(waiting)
                else:
                    queries[work.name] = waiting
        answered, further_answers = _ask(by, queries, further, defects)
        answers |= answered
        for ask, names in _answered_together(works).items():
            due_names = _guarded(", ".join(names), partial(ask, by, names), defects) or ()
            answers |= dict.fromkeys(due_names, True)
        db.session.rollback()
    return DueWork([work for work in works if answers.get(work.name)], further_answers, defects)


def _ask(
    by: Any, queries: dict[str, Waiting], further: Sequence[Select[Any]], defects: list[str]
) -> tuple[dict[str, bool], list[bool]]:
    """Which queries find a row: those of works by name, and the further ones in their order."""
    several = [*queries.values(), *((query,) for query in further)]
    if not several:
        return {}, []
    answers = _guarded(None, partial(_any_rows, by, several), defects)
    if answers is None:
        # One of them is at fault: each is asked by itself.
        alone = [_guarded(name, partial(_any_rows, by, [several]), defects) for name, several in queries.items()]
        answers = [bool(answer and answer[0]) for answer in alone] + _any_rows(by, [(query,) for query in further])
    return dict(zip(queries, answers[: len(queries)], strict=True)), answers[len(queries) :]


def _any_rows(by: Any, several: Sequence[Waiting]) -> list[bool]:
    """Of each of these groups of queries, whether one of it finds a row."""
    if not several:
        return []
    exist = [or_(*(query.order_by(None).limit(1).exists() for query in queries)) for queries in several]
    return list(by.execute(select(*exist)).one())


def _answered_together(works: Sequence[Work]) -> dict[AskTogether, list[str]]:
    together: dict[AskTogether, list[str]] = defaultdict(list)
    for work in works:
        if work.asked_with is not None:
            together[work.asked_with].append(work.name)
    return together


def _guarded(name: str | None, ask: Callable[[], Any], defects: list[str]) -> Any:
    """What `ask` returns; None where it raises, which is logged and noted unless no single work is at fault."""
    try:
        return ask()
    except AWAY:
        db.session.rollback()
        raise
    except Exception as error:
        db.session.rollback()
        if name is not None:
            defects.append(name)
            log.exception("work_defect", work=name, error=type(error).__name__)
        return None


def exists(query: Any) -> bool:
    """Whether a `select` finds a row."""
    return db.session.execute(query.limit(1)).first() is not None


def run_queue(name: str, seconds: float = JOB_SECONDS, *, monotonic: Callable[[], float] = time.monotonic) -> int:
    """Gives the works of a queue turns, one after the other, for about `seconds`; returns how many things were done.

    Who had a turn longest ago is first. Wakes the queue for what is left. A work that raises is logged and keeps no
    other from its turn. Raises what a database raises that is away.
    """
    # Before anything is read: what is stored from here on wakes the queue again.
    queue.clear_flag(name)
    until, done = monotonic() + seconds, 0
    due = find_due(list(_in_order(name))).works
    line, answered = deque(due), {work.name for work in due}
    while line:
        if monotonic() >= until:
            queue.wake_now(name)
            break
        work = line.popleft()
        _last_turns[work.name] = next(_turns)
        turn = Turn(TURN_SECONDS, monotonic)
        done += _try(work, turn, is_due=work.name in answered)
        answered.discard(work.name)
        if turn.unfinished:
            line.append(work)
    return done


def _in_order(name: str) -> Iterator[Work]:
    works = [work for work in registered() if work.queue == name]
    return iter(sorted(works, key=lambda work: _last_turns.get(work.name, 0)))


def _try(work: Work, turn: Turn, *, is_due: bool) -> int:
    try:
        return work.take_turn(turn) if is_due or work.is_due() else 0
    except AWAY:
        db.session.rollback()
        raise
    except Exception as error:
        db.session.rollback()
        # Nothing of it is tried again by this job: it would meet the same.
        turn.unfinished = False
        log.exception("work_defect", work=work.name, error=type(error).__name__)
        return 0


def _run_in_thread(work: Work, pool: BoundedPool, turn: Turn) -> int:
    """Runs the turn in a thread and waits for it until the turn is over; nothing happens while one is at it."""
    own, results = Turn(turn.seconds, turn.monotonic), list[int]()

    def run() -> None:
        results.append(work.run(own))
        if own.unfinished:
            queue.wake_now(work.queue)

    if not pool.free() or not pool.start(run):
        return 0
    pool.wait(turn.left())
    return sum(results)
