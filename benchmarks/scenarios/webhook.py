"""Updates that are acknowledged after their commit: the CPU of a request, throughput beside aiogram's webhook server
(which stores nothing) and FastAPI with asyncpg (which stores the same), the tail at 400 a second, a burst of 1,200.

Throughput and tail are the web process's, with no workers beside it, as the peers have none. In the burst everything
runs, and the updates that were answered are counted in the database.
"""

from __future__ import annotations

import itertools
import time
from functools import partial
from typing import Any

from benchmarks import cpu
from benchmarks.load import free_port
from benchmarks.profiling import profile
from benchmarks.result import Options, Result, median_of
from benchmarks.stage import WEBHOOK_SECRET, Stage, listens, stage, wait_for

NAME = "webhook"
_HEADERS = {"X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET}
_CHATS = [str(600_000 + i) for i in range(500)]
_BODY = (
    '{"update_id":%N%,"message":{"message_id":%N%,"date":1767225600,'
    '"chat":{"id":%V%,"type":"private","first_name":"Sam","username":"sam%V%"},'
    '"from":{"id":%V%,"is_bot":false,"first_name":"Sam","username":"sam%V%","language_code":"en"},'
    '"text":"When does the shop open tomorrow? This is question number %N%."}}'
)
_PEERS = ("aiogram", "aiogram_uvloop", "fastapi")
_numbers = itertools.count(1_000_000, 1_000_000)


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    seconds = 2.0 if options.quick else 8.0
    with stage() as on:
        on.start_provider()
        on.start_web()
        ports = {name: free_port() for name in _PEERS} | {"product": on.port}
        _send(on, "product", on.port, seconds=0.1)  # makes the default bot's row
        _start_peers(on, ports)
        for name in ports:
            _throughput(on, name, ports[name], 1.0)  # warm
        for number in range(options.passes):
            figures: dict[str, Any] = {}
            for name, port in ports.items():
                with profile(options if name == "product" else Options(), on.pids("web")[0], f"webhook-{number}"):
                    figures |= {f"{name}_{key}": value for key, value in _throughput(on, name, port, seconds).items()}
            for name, port in ports.items():
                figures[f"{name}_p99_ms"] = _tail(on, name, port, seconds)["p99_ms"]
            result.passes.append(figures)
        for name in _PEERS:
            on.end(name)
        burst = _burst(on, 2.0 if options.quick else 10.0, 10.0 if options.quick else 60.0)
    passes = result.passes
    for figures in passes:
        figures["vs_aiogram"] = figures["product_rate"] / figures["aiogram_rate"]
        figures["vs_fastapi"] = figures["product_rate"] / figures["fastapi_rate"]
    result.add("throughput: product / aiogram's webhook server", median_of(passes, "vs_aiogram"), "", 1.0, "more")
    result.add("throughput: product / FastAPI + asyncpg", median_of(passes, "vs_fastapi"), "", 0.9, "more")
    for name in ports:
        target = 1.5 if name == "product" else None
        result.add(f"CPU a request outside PostgreSQL: {name}", median_of(passes, f"{name}_cpu_ms"), "ms", target)
    for name in ("product", "fastapi"):
        result.add(f"CPU a request in PostgreSQL: {name}", median_of(passes, f"{name}_postgres_ms"), "ms")
    for name in ports:
        result.add(f"throughput: {name}", median_of(passes, f"{name}_rate"), "requests/s")
    for name in ports:
        target = 25.0 if name == "product" else None
        result.add(f"p99 at 400/s, open loop: {name}", median_of(passes, f"{name}_p99_ms"), "ms", target)
    result.passes.append({"burst": burst})
    result.add("burst: acknowledged and not stored", burst["lost"], "", 0)
    result.add("burst: not acknowledged", burst["refused"], "", 0)
    result.add("burst: acknowledged", burst["rate"], "requests/s")
    result.add("burst: p99 from the moment it was due", burst["p99_ms"], "ms")
    result.add("burst: processed afterwards", burst["processed_rate"], "updates/s")
    return result


def _start_peers(on: Stage, ports: dict[str, int]) -> None:
    on.execute(
        "CREATE TABLE bench_events (LIKE webhook_events INCLUDING ALL)",
        "CREATE TABLE bench_keys (LIKE webhook_event_keys INCLUDING ALL)",
        "ALTER TABLE bench_events ADD FOREIGN KEY (sender_id) REFERENCES senders (id)",
        "ALTER TABLE bench_keys ADD FOREIGN KEY (sender_id) REFERENCES senders (id)",
    )
    sender_id = on.number("SELECT id FROM senders WHERE source = 'environment'")
    on.peer("aiogram_webhook", str(ports["aiogram"]), WEBHOOK_SECRET, under="aiogram")
    on.peer("aiogram_webhook", str(ports["aiogram_uvloop"]), WEBHOOK_SECRET, "uvloop", under="aiogram_uvloop")
    words = (str(ports["fastapi"]), on.postgres.url, WEBHOOK_SECRET, str(sender_id))
    on.peer("fastapi_store", *words, under="fastapi")

    for name in _PEERS:
        wait_for(partial(listens, ports[name]), 20, name)


def _send(on: Stage, name: str, port: int, **plan: Any) -> dict[str, Any]:
    path = "/telegram/webhook" if name == "product" else "/webhook"
    first = next(_numbers)
    defaults = {"connections": 1, "most": 1} if plan.get("seconds") == 0.1 else {"connections": 32}
    whole = defaults | {"body": _BODY, "values": _CHATS, "headers": _HEADERS, "first": first, **plan}
    return on.load(port=port, path=path, **whole)


def _throughput(on: Stage, name: str, port: int, seconds: float) -> dict[str, Any]:
    root = "web" if name == "product" else name
    before = cpu.seconds(on.pids(root)), cpu.seconds([on.postgres_pid])
    done = _send(on, name, port, seconds=seconds)
    used = cpu.seconds(on.pids(root)) - before[0], cpu.seconds([on.postgres_pid]) - before[1]
    _only_ok(name, done)
    return {
        "rate": done["rate"],
        "cpu_ms": used[0] * 1000 / done["requests"],
        "postgres_ms": used[1] * 1000 / done["requests"],
    }


def _tail(on: Stage, name: str, port: int, seconds: float) -> dict[str, Any]:
    done = _send(on, name, port, seconds=seconds, rate=400.0, connections=40)
    _only_ok(name, done)
    return done


def _only_ok(name: str, done: dict[str, Any]) -> None:
    if set(done["statuses"]) != {"200"}:
        raise RuntimeError(f"{name} answered {done['statuses']}")


def _burst(on: Stage, seconds: float, patience: float) -> dict[str, Any]:
    """1,200 updates a second to the whole installation, and what is left of them in the database."""
    on.start_worker()
    before = on.number("SELECT count(*) FROM webhook_events")
    done = _send(on, "product", on.port, seconds=seconds, rate=1200.0, connections=100)
    stored = on.number("SELECT count(*) FROM webhook_events") - before
    acknowledged = done["statuses"].get("200", 0)
    ended = "SELECT count(*) FROM webhook_events WHERE state <> 'new'"
    begun, processed = time.monotonic(), on.number(ended)
    time.sleep(min(patience, 20.0))
    rate = (on.number(ended) - processed) / (time.monotonic() - begun)
    return {
        "sent": done["requests"],
        "rate": acknowledged / done["seconds"],
        "lost": acknowledged - stored,
        "refused": done["requests"] - acknowledged,
        "p99_ms": done["p99_ms"],
        "max_ms": done["max_ms"],
        "processed_rate": rate,
    }
