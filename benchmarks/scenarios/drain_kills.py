"""10,000 updates of 600 chats are worked off in batches by two workers, of which one is killed each time that 500 more
have ended; some updates cannot be read.

Judged by the rows: what is lost, what is stored twice, which conversation is out of order, and what was parked beside
the updates that cannot be read.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import defaultdict
from typing import Any

import psutil

from benchmarks.result import Options, Result
from benchmarks.seeding import Seeding
from benchmarks.stage import WEBHOOK_SECRET, Stage, stage, wait_for

NAME = "drain_kills"
_CHATS = 600
_FIRST_CHAT = 600_000
_KILLS = 20
_BODY = (
    '{"update_id":%N%,"message":{"message_id":%N%,"date":{now},"chat":{"id":%V%,"type":"private","first_name":"Sam"},'
    '"from":{"id":%V%,"is_bot":false,"first_name":"Sam"},"text":"number %N%"}}'
)
_WORKERS = ("worker", "second")


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    count, unreadable = (1_000, 3) if options.quick else (10_000, 10)
    with stage() as on:
        on.start_provider()
        Seeding(on).workspace()
        on.start_web()
        _store(on, count)
        parked = _spoil(on, unreadable)
        kills, seconds = _drain(on, count, 600.0)
        verdict = _judge(on, count, parked)
    result.passes.append({"kills": kills, "seconds": seconds} | verdict)
    result.add("updates not stored, or not ended", verdict["lost"], "", 0)
    result.add("messages stored twice", verdict["doubled"], "", 0)
    result.add("conversations out of order", verdict["disordered"], "", 0)
    result.add("parked though they can be read", verdict["parked_wrongly"], "", 0)
    result.add("not parked though they cannot be read", verdict["not_parked"], "", 0)
    result.add("kills", kills)
    result.add("seconds until everything had ended", seconds, "s")
    result.add("tries of an update, at most", verdict["most_attempts"])
    return result


def _store(on: Stage, count: int) -> None:
    done = on.load(
        port=on.port,
        path="/telegram/webhook",
        body=_BODY.replace("{now}", str(int(time.time()))),
        values=[str(_FIRST_CHAT + number) for number in range(_CHATS)],
        headers={"X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET},
        connections=1,  # so that they are stored in the order of their numbers
        seconds=300.0,
        first=1,
        most=count,
    )
    if done["statuses"] != {"200": count}:
        raise RuntimeError(f"the webhook answered {done['statuses']}")


def _spoil(on: Stage, count: int) -> set[int]:
    """Makes some bodies unreadable; returns the events' ids."""
    ids = [row[0] for row in on.rows("SELECT id FROM webhook_events ORDER BY id")]
    chosen = sorted(random.Random(7).sample(ids, count))  # noqa: S311 - the same in every run
    on.execute(f"UPDATE webhook_events SET body_encrypted = 'x' WHERE id IN ({', '.join(map(str, chosen))})")  # noqa: S608
    return set(chosen)


def _drain(on: Stage, count: int, patience: float) -> tuple[int, float]:
    """Has two workers process everything, and kills one of them after each twentieth; the kills, and the seconds."""
    for name in _WORKERS:
        on.start(name, [sys.executable, "worker.py", "intake"])
    dice = random.Random(11)  # noqa: S311 - the same order of victims in every run
    wait_for(lambda: _ended(on) > 0, 240, "the first update")
    begun, kills, before = time.monotonic(), 0, 0
    while (ended := _ended(on)) < count:
        if time.monotonic() - begun > patience:
            break
        if ended - before >= count / _KILLS:
            before = ended
            time.sleep(dice.uniform(0.0, 0.2))  # anywhere in the next batch
            kills += _kill_child(on.pids(dice.choice(_WORKERS))[0])
        time.sleep(0.05)
    return kills, time.monotonic() - begun


def _kill_child(supervisor: int) -> int:
    try:
        children = [child for child in psutil.Process(supervisor).children() if "intake" in child.cmdline()]
        for child in children:
            child.kill()
    except psutil.NoSuchProcess:
        return 0
    return len(children)


def _ended(on: Stage) -> int:
    return on.number("SELECT count(*) FROM webhook_events WHERE state <> 'new'")


def _judge(on: Stage, count: int, spoiled: set[int]) -> dict[str, Any]:
    events = on.rows("SELECT id, state, attempts FROM webhook_events ORDER BY id")
    number_of = {row[0]: number for number, row in enumerate(events, 1)}
    parked = {row[0] for row in events if row[1] == "parked"}
    stored: dict[int, list[int]] = defaultdict(list)
    for conversation_id, external_id in on.rows(
        "SELECT conversation_id, external_id FROM messages WHERE direction = 'in' ORDER BY id"
    ):
        stored[conversation_id].append(int(external_id))
    numbers = [number for of_chat in stored.values() for number in of_chat]
    expected = set(range(1, count + 1)) - {number_of[event_id] for event_id in spoiled}
    lost = len(expected - set(numbers)) + sum(row[1] == "new" for row in events)
    return {
        "lost": lost,
        "doubled": len(numbers) - len(set(numbers)),
        "disordered": sum(of_chat != sorted(of_chat) for of_chat in stored.values()),
        "parked_wrongly": len(parked - spoiled),
        "not_parked": len(spoiled - parked),
        "most_attempts": max(row[2] for row in events if row[0] not in spoiled),
        "parked": json.dumps(sorted(parked)),
    }
