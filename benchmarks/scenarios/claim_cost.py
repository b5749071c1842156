"""What a claim of 25 and its completion cost with a long history and a long queue, beside a short history and a short
queue; and with a transaction held open, so that no dead row can be removed meanwhile.

Both are databases of one server, and take turns. The cost is the time that the engine's own functions take, commits
included; no provider is involved.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any

import psycopg

from benchmarks.engine_cost import BATCH
from benchmarks.result import Options, Result, median_of
from benchmarks.seeding import Chat, Seeding
from benchmarks.stage import ROOT, Stage, stage

NAME = "claim_cost"
SMALL = (10_000, 1_000)
_WARM = 8
_MEASURED = 32

_HISTORY = """
    WITH made AS (
        INSERT INTO messages (workspace_id, conversation_id, sender_id, direction, kind, lane, state, body, external_id,
                              created_at, sent_at)
        SELECT c.workspace_id, c.id, c.sender_id, 'out', 'bench', 1, 'sent',
               '{"parts": [{"text": "something said long ago, about as long as a message", "format": "plain"}]}',
               'h' || n, now() - interval '30 days' + n * interval '1 second', now()
          FROM generate_series(%(first)s::int, %(last)s::int) AS n
          JOIN conversations c ON c.id = (%(ids)s::int8[])[1 + n %% %(chats)s]
        RETURNING id, workspace_id, conversation_id, sender_id, external_id, created_at
    ), parts AS (
        INSERT INTO message_parts (workspace_id, message_id, part, sender_id, chat_key, external_id, sent_version,
                                   sent_at)
        SELECT m.workspace_id, m.id, 0, m.sender_id, c.chat_key, m.external_id, 1, m.created_at
          FROM made m JOIN conversations c ON c.id = m.conversation_id
    )
    INSERT INTO attempts (workspace_id, sender_id, chat_key, message_id, delivery_id, part, operation, phase, epoch, at)
    SELECT m.workspace_id, m.sender_id, c.chat_key, m.id, m.id, 0, 'send', 'started', 1, m.created_at
      FROM made m JOIN conversations c ON c.id = m.conversation_id
"""


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    large = (50_000, 5_000) if options.quick else (2_000_000, 100_000)
    held_batches = 40 if options.quick else 1600
    with stage() as on:
        seeding = Seeding(on)
        workspace_id = seeding.workspace()
        small_bot, _ = seeding.bot(workspace_id)
        small = seeding.chats(workspace_id, small_bot, [10_000 + i for i in range(1000)])
        _history(seeding, small, SMALL[0])
        _copy_database(on, seeding)
        seeding = Seeding(on)
        large_bot, _ = seeding.bot(workspace_id)
        chats = seeding.chats(workspace_id, large_bot, [100_000 + i for i in range(10_000)])
        _history(seeding, chats, large[0] - SMALL[0])
        _queue(seeding, chats, large[1])
        seeding.connection.execute("VACUUM (ANALYZE)")
        on.execute("CHECKPOINT")
        result.passes += [_round(on, small_bot, small, large_bot) for _ in range(options.passes)]
        held = _held(on, large_bot, held_batches)
    for figures in result.passes:
        figures["ratio"] = figures["large_ms"] / figures["small_ms"]
    base = median_of(result.passes, "small_ms")
    label = f"{large[0]:,} and {large[1]:,} due / {SMALL[0]:,} and {SMALL[1]:,}"
    result.add(f"cost of a message: {label}", median_of(result.passes, "ratio"), "", 1.2)
    result.add("with a transaction held open: whole run / the small one", held["mean_ms"] / base, "", 2.0)
    result.add("with a transaction held open: last tenth / the small one", held["last_ms"] / base)
    result.add("messages in the held run", held["messages"])
    for size in ("small", "large"):
        for step in ("claim", "complete"):
            result.add(f"{step}, {size}", median_of(result.passes, f"{size}_{step}_ms"), "ms a message")
    result.passes.append({"held": held})
    return result


def _copy_database(on: Stage, seeding: Seeding) -> None:
    """The database so far becomes the small one; from now on the stage works in a copy of it."""
    seeding.connection.execute("ANALYZE")
    on.environment["SMALL_URL"] = on.postgres.url
    seeding.connection.close()
    on.close()
    with psycopg.connect(on.postgres.url.rpartition("/")[0] + "/postgres", autocommit=True) as connection:
        name = on.postgres.url.rpartition("/")[2]
        connection.execute(f'CREATE DATABASE bench_large TEMPLATE "{name}"'.encode())
    on.environment["DATABASE_URL"] = on.postgres.url.rpartition("/")[0] + "/bench_large"


def _history(seeding: Seeding, chats: list[Chat], count: int) -> None:
    ids = [chat.id for chat in chats]
    # Foreign keys hold by construction; checking two million of them is not what is measured.
    seeding.connection.execute("SET session_replication_role = replica")
    for first in range(1, count + 1, 200_000):
        last = min(count, first + 199_999)
        seeding.connection.execute(_HISTORY, {"first": first, "last": last, "ids": ids, "chats": len(ids)})
    seeding.connection.execute("SET session_replication_role = origin")


def _queue(seeding: Seeding, chats: list[Chat], count: int) -> None:
    for first in range(0, count, 10_000):
        seeding.messages(chats, [f"due {first + i}" for i in range(min(10_000, count - first))])


def _round(on: Stage, small_bot: int, small: list[Chat], large_bot: int) -> dict[str, Any]:
    large_url, small_url = on.environment["DATABASE_URL"], on.environment["SMALL_URL"]
    on.environment["DATABASE_URL"] = small_url
    seeding = Seeding(on)
    left = seeding.connection.execute("SELECT count(*) FROM deliveries").fetchone()
    assert left is not None
    seeding.messages(small, [f"due {i}" for i in range(SMALL[1] - int(left[0]))])
    seeding.connection.execute("VACUUM (ANALYZE) deliveries")
    seeding.connection.close()
    few = _child(on, small_bot, _WARM + _MEASURED)
    on.environment["DATABASE_URL"] = large_url
    many = _child(on, large_bot, _WARM + _MEASURED)
    figures: dict[str, Any] = {}
    for size, costs in (("small", few), ("large", many)):
        for step in ("claim", "complete"):
            figures[f"{size}_{step}_ms"] = statistics.median(costs[step][_WARM:])
        figures[f"{size}_ms"] = figures[f"{size}_claim_ms"] + figures[f"{size}_complete_ms"]
    return figures


def _held(on: Stage, bot: int, batches: int) -> dict[str, Any]:
    with on.connect() as holder:
        holder.autocommit = False
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM workspaces")
        costs = _child(on, bot, batches)
        holder.rollback()
    both = [claim + complete for claim, complete in zip(costs["claim"], costs["complete"], strict=True)]
    tenth = max(1, len(both) // 10)
    return {
        "messages": len(both) * BATCH,
        "mean_ms": statistics.mean(both[_WARM:]),
        "last_ms": statistics.mean(both[-tenth:]),
        "last_claim_ms": statistics.mean(costs["claim"][-tenth:]),
    }


def _child(on: Stage, bot: int, batches: int) -> dict[str, list[float]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.engine_cost", str(bot), str(batches)],
        cwd=ROOT,
        env=on.variables(),
        stdout=subprocess.PIPE,
        check=True,
    )
    figures: dict[str, list[float]] = json.loads(done.stdout)
    return figures
