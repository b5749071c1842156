"""A worker over 50,000 messages that come as fast as they go: its memory, what is left in the queue, and how large the
queue's table and indexes are before, meanwhile and afterwards.
"""

from __future__ import annotations

import time
from typing import Any

import psutil

from benchmarks import checker
from benchmarks.checker import Verdict
from benchmarks.result import Options, Result
from benchmarks.seeding import Chat, Seeding
from benchmarks.stage import Stage, stage, wait_for

NAME = "endurance"
_AHEAD = 1500
"""Messages that wait at any time."""


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    count = 2000 if options.quick else 50_000
    with stage() as on:
        on.start_provider()
        ceiling = on.ceiling(0.5)
        on.provider("set", latency="5")
        seeding = Seeding(on)
        workspace_id = seeding.workspace()
        sender_id, _ = seeding.bot(workspace_id)
        chats = seeding.chats(workspace_id, sender_id, [40_000 + i for i in range(3000)])
        on.start_worker(TEST_SENDER_RATES="off")
        _feed(on, seeding, chats, 2 * _AHEAD, "warm", [])  # a queue of that depth has been there before
        seeding.connection.execute("VACUUM deliveries")
        before = _size(on)
        on.provider("reset")
        samples: list[dict[str, Any]] = []
        begun = time.monotonic()
        _feed(on, seeding, chats, count, "run", samples)
        seconds = time.monotonic() - begun
        left = on.number("SELECT count(*) FROM deliveries")
        verdict = _verdict(on, sender_id)
        # What is left to the database's own housekeeping: nobody vacuums by hand.
        until = time.monotonic() + (5 if options.quick else 150)
        wait_for(lambda: _size(on) <= before or time.monotonic() > until, 200, "the autovacuum")
        after = _size(on)
    result.check_ceiling(count / seconds, ceiling)
    result.passes = samples
    fifth = max(1, len(samples) // 5)
    early, late = _mean(samples[fifth : 2 * fifth]), _mean(samples[-fifth:])
    result.add("memory of the dispatch loop: last fifth / second fifth", late / early, "", 1.03)
    result.add("memory of the dispatch loop at the end", late / 2**20, "MB")
    result.add("rows of deliveries left", left, "", 0)
    result.add("queue's table and indexes: after / before", after / max(before, 1), "", 1.0)
    result.add("queue's table and indexes before", before / 1024, "KB")
    result.add("queue's table and indexes at most", max(sample["size"] for sample in samples) / 1024, "KB")
    result.add("queue's table and indexes after", after / 1024, "KB")
    result.add("lost or doubled", len(verdict.lost) + len(verdict.doubled) + len(verdict.repeated), "", 0)
    result.add("messages", count)
    result.add("throughput", count / seconds, "messages/s")
    return result


def _feed(on: Stage, seeding: Seeding, chats: list[Chat], count: int, name: str, samples: list[dict[str, Any]]) -> None:
    """Keeps the queue filled until `count` messages were said."""
    dispatch = dispatcher(on)
    given = 0
    while given < count or not on.settled():
        waiting = on.number("SELECT count(*) FROM deliveries")
        if waiting < _AHEAD and given < count:
            more = min(500, count - given)
            start = given % len(chats)
            seeding.messages((chats + chats)[start : start + more], [f"{name} {given + i}" for i in range(more)])
            seeding.nudge()
            given += more
            continue
        samples.append({"given": given, "rss": dispatch.memory_info().rss, "size": _size(on)})
        time.sleep(0.2)


def dispatcher(on: Stage) -> psutil.Process:
    """The process with the dispatch loop."""
    wait_for(lambda: bool(on.worker_children("dispatch")), 20, "the dispatch loop")
    return on.worker_children("dispatch")[0]


def _verdict(on: Stage, sender_id: int) -> Verdict:
    rows = [row for row in on.messages([sender_id]) if row.text.startswith("run")]
    return checker.match([entry for entry in on.entries() if entry.text.startswith("run")], rows)


def _size(on: Stage) -> int:
    return on.number("SELECT pg_total_relation_size('deliveries')")


def _mean(samples: list[dict[str, Any]]) -> float:
    return float(sum(sample["rss"] for sample in samples)) / max(1, len(samples))
