"""The works of a queue take turns: a flood of one keeps no other waiting, nor does one that hangs or fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import literal, select
from sqlalchemy.exc import OperationalError

from backend.core import queue, work
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Work
from backend.services.housekeeping import declarations

QUEUE = "background"
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
REAL = {one.name: one for one in work.registered()}


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Works:
    """Works of the test's own, and in which order they had their turns."""

    clock: Clock = field(default_factory=Clock)
    turns: list[tuple[str, float]] = field(default_factory=list)

    def declare(self, name: str, run: Callable[[Turn], int] | None = None, *, left: int = 1, **options: Any) -> Work:
        """A work with so many things to do, each of which takes a second; without end where `left` is negative."""
        remaining = [left]

        def step(turn: Turn) -> int:
            self.turns.append((name, self.clock.seconds))
            if run is not None:
                return run(turn)
            done = 0
            while remaining[0]:
                remaining[0] -= 1
                done += 1
                self.clock.seconds += 1.0
                if turn.is_over():
                    turn.go_on_later()
                    break
            return done

        return work.register(Work(name, QUEUE, lambda: bool(remaining[0]), step, **options))

    def run(self, seconds: float = 5.0) -> int:
        """One job of the queue."""
        return work.run_queue(QUEUE, seconds, monotonic=self.clock)

    @property
    def names(self) -> list[str]:
        """Whose turns there were."""
        return [name for name, _ in self.turns]


@pytest.fixture
def works(app: Any, monkeypatch: pytest.MonkeyPatch) -> Works:
    monkeypatch.setattr(work, "_registered", {})
    monkeypatch.setattr(work, "_last_turns", {})
    return Works()


def test_a_flood_of_one_work_keeps_another_waiting_for_a_turn_only(works: Works) -> None:
    works.declare("a_flood", left=-1)
    works.declare("b", left=2)
    works.run()
    assert works.names == ["a_flood", "b", "a_flood", "b", "a_flood"]
    assert works.turns[1] == ("b", 1.0), "after one thing of the flood, which takes longer than a turn"


def serve(works: Works, jobs: int) -> None:
    """What one worker of all queues does: the queue that was served is the last to be served again."""
    queues = list(queue.QUEUES)
    for _ in range(jobs):
        name = queues.pop(0)
        work.run_queue(name, monotonic=works.clock)
        queues.append(name)


def flood(works: Works, name: str, lane: str) -> None:
    """A work without end: each of its turns is used to the last moment."""

    def step(turn: Turn) -> int:
        works.turns.append((name, works.clock.seconds))
        works.clock.seconds += turn.seconds
        turn.go_on_later()
        return 1

    work.register(Work(name, lane, lambda: True, step))


def once(works: Works, name: str, lane: str) -> None:
    """A work with one thing to do."""
    left = [1]

    def step(turn: Turn) -> int:
        works.turns.append((name, works.clock.seconds))
        left.clear()
        return 1

    work.register(Work(name, lane, lambda: bool(left), step))


@pytest.mark.parametrize("flooded", sorted(REAL))
def test_whichever_kind_of_work_is_flooded_every_other_starts_after_two_of_its_turns_at_most(
    works: Works, flooded: str
) -> None:
    flood(works, flooded, REAL[flooded].queue)
    serve(works, len(queue.QUEUES))
    begun = len(works.turns)
    for name, other in REAL.items():
        if name != flooded:
            once(works, name, other.queue)
    serve(works, len(queue.QUEUES))
    after = works.names[begun:]
    assert set(after) == set(REAL)
    assert after.count(flooded) <= 2


def test_while_everything_is_flooded_each_queue_is_served_within_two_seconds(works: Works) -> None:
    for name, one in REAL.items():
        flood(works, name, one.queue)
    serve(works, 60)
    for lane in queue.QUEUES:
        starts = [at for name, at in works.turns if REAL[name].queue == lane]
        assert max(later - earlier for earlier, later in pairwise(starts)) <= 2.0
    assert set(works.names) == set(REAL)


def test_what_a_job_did_not_get_to_is_first_in_the_next(works: Works, valkey: Any) -> None:
    for name in "abc":
        works.declare(name, left=-1)
    works.run(1.0)
    assert works.names == ["a"]
    assert valkey.llen(f"rq:queue:{QUEUE}") == 1
    works.run(2.0)
    assert works.names == ["a", "b", "c"]


def test_a_job_that_left_nothing_wakes_nobody(works: Works, valkey: Any) -> None:
    works.declare("a", left=3)
    assert works.run() == 3
    assert valkey.llen(f"rq:queue:{QUEUE}") == 0


def test_only_works_of_the_queue_that_have_something_to_do_are_run(works: Works) -> None:
    works.declare("idle", left=0)
    work.register(Work("elsewhere", "intake", lambda: True, lambda turn: 9))
    assert works.run() == 0
    assert works.turns == []


def test_one_without_a_query_waits_for_nothing_and_spoils_no_statement(works: Works) -> None:
    work.register(Work("unset", QUEUE, tuple, lambda turn: 9))
    one = work.register(Work("one", QUEUE, lambda: (select(literal(1)),), lambda turn: 1))
    found = work.find_due(work.registered())
    assert (found.works, found.defects) == ([one], [])


def test_one_that_fails_is_logged_and_the_others_are_done(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(work.log, "exception", lambda event, **values: logged.append(values["work"]))

    def fail(turn: Turn) -> int:
        turn.go_on_later()
        raise ValueError("a defect")

    works.declare("a", fail)
    works.declare("b")
    assert works.run() == 1
    assert (works.names, logged) == (["a", "b"], ["a"])


def test_a_database_that_is_away_ends_the_job(works: Works) -> None:
    def away(turn: Turn) -> int:
        raise OperationalError("SELECT", {}, ConnectionError())

    works.declare("a", away)
    works.declare("b")
    with pytest.raises(OperationalError):
        works.run()
    assert works.names == ["a"]


def test_one_that_hangs_in_its_thread_is_not_waited_for_nor_begun_twice(works: Works) -> None:
    released, begun, pool = threading.Event(), threading.Event(), BoundedPool("test", 1)

    def hang(turn: Turn) -> int:
        begun.set()
        released.wait(60)
        return 1

    hanging = works.declare("a", hang, pool=pool)
    try:
        assert hanging.take_turn(Turn(0.0)) == 0
        assert begun.wait(60)
        assert hanging.take_turn(Turn(0.0)) == 0
        works.declare("b")
        works.run(0.5)
        assert works.names == ["a", "b"]
    finally:
        released.set()
    assert pool.wait(60)


def test_a_thread_that_leaves_something_wakes_its_queue(works: Works, valkey: Any) -> None:
    pool = BoundedPool("test", 1)

    def begin(turn: Turn) -> int:
        turn.go_on_later()
        return 2

    assert works.declare("a", begin, pool=pool).take_turn(Turn(60.0)) == 2
    assert pool.wait(60)
    assert valkey.llen(f"rq:queue:{QUEUE}") == 1


def test_a_queue_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown lane"):
        work.register(Work("a", "nowhere", lambda: True, lambda turn: 0))


def test_every_queue_has_a_work_and_asking_a_real_one_whether_it_is_due_works(app: Any) -> None:
    assert declarations.MODULES
    assert {one.queue for one in REAL.values()} == set(queue.QUEUES)
    due = {name for name, one in REAL.items() if one.is_due()}
    assert due <= {name for name, one in REAL.items() if one.timed}, "nothing waits in an empty database"


def test_the_table_in_the_docs_is_the_registry() -> None:
    section = OPERATIONS.read_text(encoding="utf-8").split("## The work registry", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in section.splitlines() if line[:2] == "| "]
    told = {(row[0], row[1], row[2]) for row in rows[1:]}
    assert told == {(one.name, one.queue, "tick" if one.timed else "sweep") for one in REAL.values()}
