"""Unlimited: 50 ms latency, 32 connections, and every message a row in PostgreSQL, beside aiogram's concurrent fan-out,
which stores nothing. The two take turns within each round.
"""

from __future__ import annotations

from typing import Any

from benchmarks import checker, cpu
from benchmarks.checker import Entry
from benchmarks.profiling import profile
from benchmarks.result import Options, Result, median_of
from benchmarks.seeding import Seeding
from benchmarks.stage import Stage, stage, wait_for

NAME = "fanout"


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    count = 1000 if options.quick else 6000
    with stage() as on:
        on.start_provider()
        ceiling = on.ceiling()
        on.provider("set", latency="50", inbound="25")
        seeding = Seeding(on)
        workspace_id = seeding.workspace()
        sender_id, _ = seeding.bot(workspace_id)
        chats = seeding.chats(workspace_id, sender_id, [20_000 + i for i in range(count)])
        on.start_worker(TEST_SENDER_RATES="off")
        on.peer("aiogram_fanout", str(on.provider_port), str(count))
        _line(on)
        _product(on, seeding, sender_id, chats[:200], "warm")
        _peer(on, "warm")
        for number in range(options.passes):
            with profile(options, on.pids("worker")[0], f"fanout-{number}"):
                ours = _product(on, seeding, sender_id, chats, f"pass {number}")
            theirs = _peer(on, str(number))
            result.passes.append(
                {f"product_{name}": value for name, value in ours.items()}
                | {f"aiogram_{name}": value for name, value in theirs.items()}
                | {"ratio": ours["rate"] / theirs["rate"]}
            )
    result.check_ceiling(max(figures["product_rate"] for figures in result.passes), ceiling)
    passes = result.passes
    result.add("throughput: product / aiogram's fan-out", median_of(passes, "ratio"), "", 0.85, "more")
    result.add("CPU a message outside PostgreSQL", median_of(passes, "product_cpu_ms"), "ms", 2.0)
    result.add("CPU a message in PostgreSQL", median_of(passes, "product_postgres_ms"), "ms")
    result.add("CPU a message: aiogram", median_of(passes, "aiogram_cpu_ms"), "ms")
    result.add("product", median_of(passes, "product_rate"), "messages/s")
    result.add("aiogram", median_of(passes, "aiogram_rate"), "messages/s")
    result.add("lost or doubled, all passes", sum(not figures["product_sound"] for figures in passes), "", 0)
    result.add("provider's ceiling", ceiling, "messages/s")
    return result


def _product(on: Stage, seeding: Seeding, sender_id: int, chats: list[Any], name: str) -> dict[str, Any]:
    on.provider("reset")
    seeding.connection.execute("ANALYZE deliveries, messages, conversations")
    texts = [f"{name} {i}" for i in range(len(chats))]
    seeding.messages(chats, texts)
    before = cpu.seconds(on.pids("worker")), cpu.seconds([on.postgres_pid])
    seeding.nudge()
    wait_for(on.settled, 300, "the fan-out")
    used = cpu.seconds(on.pids("worker")) - before[0], cpu.seconds([on.postgres_pid]) - before[1]
    entries = on.entries()
    wanted = set(texts)
    rows = [row for row in on.messages([sender_id]) if row.text in wanted]
    verdict = checker.match(entries, rows)
    return {
        "rate": _rate(entries),
        "cpu_ms": used[0] * 1000 / len(chats),
        "postgres_ms": used[1] * 1000 / len(chats),
        "sound": verdict.sound and not verdict.repeated,
    }


def _peer(on: Stage, name: str) -> dict[str, Any]:
    process = on.processes["aiogram_fanout"]
    assert process.stdin is not None
    on.provider("reset")
    before = cpu.seconds([process.pid])
    process.stdin.write(f"{name}\n".encode())
    process.stdin.flush()
    _line(on)
    entries = on.entries()
    return {"rate": _rate(entries), "cpu_ms": (cpu.seconds([process.pid]) - before) * 1000 / len(entries)}


def _line(on: Stage) -> None:
    stdout = on.processes["aiogram_fanout"].stdout
    assert stdout is not None
    if not stdout.readline():
        raise RuntimeError("aiogram ended: " + (on.folder / "aiogram_fanout.log").read_text()[-2000:])


def _rate(entries: list[Entry]) -> float:
    accepted = [entry.at for entry in entries if entry.accepted]
    return (len(accepted) - 1) / ((max(accepted) - min(accepted)) / 1e9)
