"""What an installation with one linked person costs while nothing happens: statements a second, CPU, memory.

Statements are counted in PostgreSQL's log, with BEGIN and COMMIT. Memory is what the Procfile's processes hold, pages
that they share counted once.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from typing import Any

import psutil

from benchmarks import cpu
from benchmarks.load import free_port
from benchmarks.result import Options, Result, median_of
from benchmarks.scenarios.latency import register
from benchmarks.seeding import Seeding
from benchmarks.stage import BOT_TOKEN, Stage, listens, stage, wait_for

NAME = "idle"
_STATEMENT = re.compile(r"^switchboard LOG:  (?:statement|execute [^:]*): +(.*)")
_MB = 1024 * 1024


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    with stage() as on:
        port = free_port()
        on.environment["TELEGRAM_API_URL"] = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "simulator", "--host", "127.0.0.1", "--port", str(port)]
        on.start("simulator", [*command, "--bot", f"{BOT_TOKEN}:bench_bot"])
        wait_for(lambda: listens(port), 20, "the simulator")
        on.start_web()
        on.start_worker()
        _, workspace_id = register(on)
        wait_for(lambda: bool(on.rows("SELECT 1 FROM senders WHERE source = 'environment'")), 20, "the bot's row")
        sender_id = on.number("SELECT id FROM senders WHERE source = 'environment'")
        seeding = Seeding(on)
        chats = seeding.chats(workspace_id, sender_id, [700_001])
        seeding.people(workspace_id, sender_id, chats)
        # What the start left to be done is done, and the caches are filled.
        time.sleep(5.0 if options.quick else 45.0)
        on.execute(
            "ALTER SYSTEM SET log_statement = 'all'",
            "ALTER SYSTEM SET log_line_prefix = '%a '",
            "SELECT pg_reload_conf()",
        )
        for _ in range(options.passes):
            result.passes.append(_measure(on, 5.0 if options.quick else 15.0))
    result.add("statements a second", median_of(result.passes, "statements"), "", 8.0)
    result.add("CPU: web, worker and PostgreSQL together", median_of(result.passes, "cpu_percent"), "% of a core", 1.5)
    result.add("CPU: PostgreSQL", median_of(result.passes, "postgres_percent"), "% of a core")
    result.add("memory: web and worker, shared pages once", median_of(result.passes, "pss_mb"), "MB", 320.0)
    result.add("memory: the same, shared pages in each", median_of(result.passes, "rss_mb"), "MB")
    return result


def _measure(on: Stage, seconds: float) -> dict[str, Any]:
    pids = on.pids("web", "worker")
    log_begins = on.postgres.log_path.stat().st_size
    used, database = cpu.seconds(pids), cpu.seconds([on.postgres_pid])
    before = _processes(pids)
    begun = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    used, database = cpu.seconds(pids) - used, cpu.seconds([on.postgres_pid]) - database
    counted = _statements(on, log_begins)
    processes = _processes(pids)
    for process, earlier in zip(processes, before, strict=True):
        process["cpu_percent"] = (process["cpu"] - earlier["cpu"]) / took * 100
    return {
        "statements": sum(counted.values()) / took,
        "cpu_percent": (used + database) / took * 100,
        "postgres_percent": database / took * 100,
        "pss_mb": sum(process["pss_mb"] for process in processes),
        "rss_mb": sum(process["rss_mb"] for process in processes),
        "processes": processes,
        "by_statement": dict(counted.most_common(60)),
    }


def _statements(on: Stage, begins: int) -> Counter[str]:
    with on.postgres.log_path.open("rb") as log:
        log.seek(begins)
        lines = log.read().decode(errors="replace").splitlines()
    statements = [match.group(1) for line in lines if (match := _STATEMENT.match(line))]
    return Counter(statement[:160] for statement in statements)


def _processes(pids: list[int]) -> list[dict[str, Any]]:
    processes: list[dict[str, Any]] = []
    for pid in pids:
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            memory = process.memory_full_info()
            pss = getattr(memory, "pss", memory.rss)
            command = " ".join(process.cmdline()[1:4])
            times = process.cpu_times()
            shown = {"command": command, "name": process.name(), "cpu": times.user + times.system}
            processes.append(shown | {"pss_mb": pss / _MB, "rss_mb": memory.rss / _MB})
    return processes
