"""Starting: each operation at its moment, a sender's share of the threads, and what cannot begin in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from backend.services.dispatch.executor import Planned, TimedExecutor
from backend.services.dispatch.pace import SendSlot
from tests.support.engine import until


class Work:
    """Notes what was begun, and holds it until it is let go."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, float]] = []
        self.back: list[int] = []
        self.rooms = 0
        self.gates: dict[int, threading.Event] = {}

    def carry_out(self, one: Planned) -> None:
        self.begun.append((one.row.id, time.monotonic()))
        self.gates.setdefault(one.row.sender_id, free()).wait(10)

    def give_back(self, one: Planned) -> None:
        self.back.append(one.row.id)

    def room(self) -> None:
        self.rooms += 1

    def ids(self) -> list[int]:
        return [number for number, _ in self.begun]


def free() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


def planned(number: int, sender_id: int = 1, at: float | None = None) -> Planned:
    row = SimpleNamespace(id=number, sender_id=sender_id)
    return Planned(None, row, SendSlot(time.monotonic() if at is None else at))  # type: ignore[arg-type]


@contextmanager
def starter(work: Work, connections: int = 4) -> Iterator[TimedExecutor]:
    made = TimedExecutor(connections, work.carry_out, work.give_back, work.room)
    made.start()
    try:
        yield made
    finally:
        for gate in work.gates.values():
            gate.set()
        made.finish()


def test_nothing_begins_before_its_moment_and_the_order_is_theirs(app):
    work = Work()
    now = time.monotonic()
    with starter(work) as one:
        one.put([planned(2, at=now + 0.08), planned(1, at=now + 0.04)])
        until(lambda: len(work.begun) == 2)
    assert work.ids() == [1, 2]
    assert work.begun[0][1] >= now + 0.04
    assert work.begun[1][1] >= now + 0.08


def test_a_sender_that_hangs_leaves_threads_to_the_others(app):
    work = Work()
    work.gates[1] = threading.Event()
    with starter(work) as one:
        one.share(True)
        one.put([planned(number) for number in range(6)])
        until(lambda: len(work.begun) == 3)
        one.put([planned(100, sender_id=2)])
        until(lambda: 100 in work.ids())
        assert work.ids().count(100) == 1
        assert len([number for number in work.ids() if number < 100]) == 3


def test_what_waits_too_long_for_a_connection_is_given_back_unbegun(app):
    work = Work()
    work.gates[1] = threading.Event()
    with starter(work, connections=1) as one:
        one.put([planned(1), planned(2)])
        until(lambda: work.back == [2])
    assert work.ids() == [1]


def test_there_is_room_for_as_many_as_there_are_connections_and_a_surplus_once_the_speed_is_known(app):
    work = Work()
    with starter(work) as one:
        assert one.room(1) == 4
        one.put([planned(1)])
        until(lambda: one.room(1) > 4)
        work.gates[1] = threading.Event()
        one.put([planned(number) for number in range(2, 10)])
        until(lambda: len(work.begun) == 5)
        assert one.room(1) == 0
        assert not one.request_room([1])
        work.gates[1].set()
        until(lambda: work.rooms > 0)


def test_finishing_carries_out_what_was_given(app):
    work = Work()
    with starter(work) as one:
        one.put([planned(1, at=time.monotonic() + 0.05), planned(2)])
    assert sorted(work.ids()) == [1, 2]
    assert not one.broken


def test_a_sender_is_forgotten_once_nothing_of_it_is_under_way(app):
    work = Work()
    work.gates[1] = threading.Event()
    with starter(work) as one:
        one.put([planned(1)])
        until(lambda: work.ids() == [1])
        one.forget(1)
        assert one.room(1) == 3
        work.gates[1].set()
        until(lambda: one.room(1) >= 4)
        one.forget(1)
        assert one.room(1) == 4
