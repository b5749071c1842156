"""Ten bots at once in one worker process, each against a strict sliding second that blocks a bot which goes over it."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks import checker, cpu
from benchmarks.profiling import profile
from benchmarks.result import Options, Result, median_of
from benchmarks.scenarios.pace import DELAYS, warm_up
from benchmarks.seeding import Seeding
from benchmarks.stage import Stage, stage, wait_for

NAME = "ten_bots"
BOTS = 10


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    each = 100 if options.quick else 600
    with stage() as on:
        on.start_provider()
        ceiling = on.ceiling()
        seeding = Seeding(on)
        workspace_id = seeding.workspace()
        on.start_worker()
        warm_up(on, seeding, workspace_id)
        for number in range(options.passes):
            with profile(options, on.pids("worker")[0], f"ten_bots-{number}"):
                result.passes.append(_pass(on, seeding, workspace_id, each))
    result.check_ceiling(max(figures["rate"] for figures in result.passes), ceiling)
    result.add("slowest bot: of its limit", median_of(result.passes, "slowest"), "", 0.95, "more")
    result.add("median bot: of its limit", median_of(result.passes, "median"))
    result.add("answers 429, all passes", sum(figures["refused"] for figures in result.passes), "", 0)
    result.add("limits exceeded by the log, all passes", sum(figures["over_paced"] for figures in result.passes), "", 0)
    result.add("lost or doubled, all passes", sum(not figures["sound"] for figures in result.passes), "", 0)
    result.add("CPU a message outside PostgreSQL", median_of(result.passes, "cpu_ms"), "ms")
    result.add("CPU a message in PostgreSQL", median_of(result.passes, "postgres_ms"), "ms")
    return result


def _pass(on: Stage, seeding: Seeding, workspace_id: int, each: int) -> dict[str, Any]:
    bots = [seeding.bot(workspace_id) for _ in range(BOTS)]
    on.provider("reset")
    on.provider("set", policy="blocking", **DELAYS)
    for sender_id, bot in bots:
        chats = seeding.chats(workspace_id, sender_id, [30_000 + i for i in range(each)])
        seeding.messages(chats, [f"{bot} {i}" for i in range(each)])
    before = cpu.seconds(on.pids("worker")), cpu.seconds([on.postgres_pid])
    seeding.nudge()
    wait_for(on.settled, 240, "the messages of ten bots")
    used = cpu.seconds(on.pids("worker")) - before[0], cpu.seconds([on.postgres_pid]) - before[1]
    entries = on.entries()
    verdict = checker.match(entries, on.messages([sender_id for sender_id, _ in bots]))
    ratios = []
    for _, bot in bots:
        mine = [entry for entry in entries if entry.bot == bot]
        ratios.append(checker.pace_of(mine, {entry.text for entry in mine}).ratio)
    span = (max(entry.at for entry in entries) - min(entry.at for entry in entries)) / 1e9
    return {
        "ratios": ratios,
        "slowest": min(ratios),
        "median": statistics.median(ratios),
        "rate": len(entries) / span,
        "refused": verdict.refused,
        "over_paced": len(checker.over_pacing(entries)),
        "sound": verdict.sound,
        "cpu_ms": used[0] * 1000 / (each * BOTS),
        "postgres_ms": used[1] * 1000 / (each * BOTS),
    }
