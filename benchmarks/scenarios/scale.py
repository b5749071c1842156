"""What claims, the sweep, reads and retention cost with a long history, beside their cost with 1,000,000 rows of it.

It is the same database, which grows in between; `--rows` says how long the history becomes. The cost is CPU time, of
PostgreSQL and of the process that asks, so that other work on the machine counts little.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import cpu
from benchmarks.history import History
from benchmarks.result import Options, Result
from benchmarks.scenarios.latency import register
from benchmarks.scenarios.reads import Target
from benchmarks.seeding import Chat, Seeding
from benchmarks.stage import ROOT, Stage, stage

NAME = "scale"
SMALL = 1_000_000
MOST = 1.2
DURATION = "a claim of a message, the median's duration"
_BYTES_A_ROW = 450
_WORKSPACES = 10
_CHATS = 200
_DUE = 4_000
_BATCHES = 120
_ASKED = 80
_TURNS = 6
_PAGES = {
    "messages": "/api/messages?limit=50",
    "messages of a person": "/api/messages?limit=50&user_id={person}",
    "messages of a chat": "/api/messages?limit=50&conversation_id={chat}",
    "messages of a kind that is rare": "/api/messages?limit=50&kind=welcome",
    "events": "/api/events?limit=50",
    "events of a person": "/api/events?limit=50&user_id={person}",
    "events of a type that is rare": "/api/events?limit=50&type=post_failure",
    "people": "/api/people?limit=50",
}


def run(options: Options) -> Result:
    """See the module. Refuses to fill a disk."""
    result = Result(NAME)
    small, rows, batch = (50_000, 200_000, 200) if options.quick else (SMALL, options.rows, 5_000)
    with stage() as on:
        free = shutil.disk_usage(on.folder).free
        if rows * _BYTES_A_ROW > free / 2:
            raise SystemExit(f"{rows:,} rows need {rows * _BYTES_A_ROW / 10**9:.0f} GB, half of the disk's free space")
        on.start_web()
        token, workspace_id = register(on)
        seeding = Seeding(on)
        place = _seed(seeding, workspace_id)
        history = History(seeding.connection)
        history.grow_to(small)
        few = _measure(on, seeding, token, place, batch)
        began = time.monotonic()
        history.grow_to(rows)
        result.add(f"filling up to {rows:,} rows", time.monotonic() - began, "s")
        result.add("the database then", history.size(), "GB")
        many = _measure(on, seeding, token, place, batch)
    result.passes += [few, many]
    for name, cost in many.items():
        # A duration is for a machine that does nothing else.
        most = None if name == DURATION else MOST
        result.add(f"{name}: {rows:,} / {small:,}", cost / few[name], "", most)
    for name, cost in many.items():
        result.add(f"{name} then", cost, "ms")
    return result


@dataclass(frozen=True)
class Place:
    """The bot and the chats of the workspace that is asked, and what its paths name."""

    bot: int
    chats: list[Chat]
    named: dict[str, int]


def _seed(seeding: Seeding, workspace_id: int) -> Place:
    """Makes workspaces with a bot and linked people each; returns the first."""
    places: list[Place] = []
    for number in range(_WORKSPACES):
        own = workspace_id if number == 0 else seeding.workspace()
        bot, _ = seeding.bot(own)
        chats = seeding.chats(own, bot, [100_000 * (number + 1) + place for place in range(_CHATS)])
        people = seeding.people(own, bot, chats)
        places.append(Place(bot, chats, {"chat": chats[7].id, "person": people[7]}))
    return places[0]


def _measure(on: Stage, seeding: Seeding, token: str, place: Place, batch: int) -> dict[str, float]:
    _queue(seeding, place)
    figures = _read(on, token, place)
    housekeeping = _child(on, "benchmarks.scale_cost", str(on.postgres_pid), str(batch))
    figures |= {name: float(cost) for name, cost in housekeeping.items()}
    before = cpu.seconds([on.postgres_pid])
    costs = _child(on, "benchmarks.engine_cost", str(place.bot), str(_BATCHES))
    spent = (cpu.seconds([on.postgres_pid]) - before) / _BATCHES * 1000
    figures["claim and completion of 25, PostgreSQL"] = spent
    figures[DURATION] = sorted(costs["claim"])[_BATCHES // 2]
    return figures


def _read(on: Stage, token: str, place: Place) -> dict[str, float]:
    """The CPU milliseconds of each page, in the web process and in PostgreSQL.

    The pages are asked in turn, and the cheapest turn counts: it is the one that other work disturbed least.
    """
    pids = [*on.pids("web"), on.postgres_pid]
    targets = {}
    for name, path in _PAGES.items():
        path = path.format(**place.named)
        targets[name] = Target(path, on.port, path, token, pids)
        targets[name].ask(5)
    return {name: min(costs) for name, costs in _turns(targets).items()}


def _turns(targets: dict[str, Target]) -> dict[str, list[float]]:
    costs: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(_TURNS):
        for name, target in targets.items():
            costs[name].append(target.ask(_ASKED))
    return costs


def _queue(seeding: Seeding, place: Place) -> None:
    """Has so many messages wait, whatever waited before."""
    seeding.connection.execute("DELETE FROM deliveries")
    seeding.messages(place.chats, [f"due {number}" for number in range(_DUE)])
    seeding.connection.execute("VACUUM (ANALYZE) deliveries")


def _child(on: Stage, module: str, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=ROOT, env=on.variables(), stdout=subprocess.PIPE, check=True
    )
    spent: dict[str, Any] = json.loads(done.stdout)
    return spent
