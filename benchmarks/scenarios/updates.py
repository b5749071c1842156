"""Updates *processed*: how many a second one worker works off, and its CPU, beside aiogram's webhook server whose
handler stores the same rows by asyncpg, one transaction an update (`benchmarks/peers/aiogram_store.py`).

2,400 texts of 500 chats, and `/help` from 600 chats; every pass is of chats that were never met. The product's updates
are stored while its worker is stopped, and the time runs from the moment it may go on until the last one has ended. A
peer's time is that of its requests, which hold its whole work.
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
from benchmarks.seeding import Seeding
from benchmarks.stage import WEBHOOK_SECRET, Stage, listens, stage, wait_for

NAME = "updates"
_HEADERS = {"X-Telegram-Bot-Api-Secret-Token": WEBHOOK_SECRET}
_BODY = (
    '{"update_id":%N%,"message":{"message_id":%N%,"date":{now},'
    '"chat":{"id":%V%,"type":"private","first_name":"Sam","username":"sam%V%"},'
    '"from":{"id":%V%,"is_bot":false,"first_name":"Sam","username":"sam%V%","language_code":"en"},'
    '"text":"{text}"}}'
)
_TEXT = "When does the shop open tomorrow? This is question number %N%."
_KINDS = {"texts": (_TEXT, 2_400, 500), "help": ("/help", 600, 600)}
"""What is written, how often, and in how many chats."""
_PEERS = ("aiogram", "aiogram_uvloop")
_PEER_TABLES = ("identities", "conversations", "messages", "message_parts", "deliveries", "live_events")
_numbers = itertools.count(1_000_000, 1_000_000)
_chats = itertools.count(600_000, 1_000)


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    with stage() as on:
        on.start_provider()
        workspace_id = Seeding(on).workspace()
        on.start_web()
        on.start_worker("intake")
        ports = {name: free_port() for name in _PEERS}
        _send(on, on.port, "/telegram/webhook", "texts", most=1, chats=1)  # makes the default bot's row
        wait_for(partial(_all_ended, on), 60, "the first update")
        _start_peers(on, ports, workspace_id)
        for number in range(options.passes):
            figures: dict[str, Any] = {}
            for kind in _KINDS:
                with profile(options, on.pids("worker")[0], f"updates-{kind}-{number}"):
                    figures |= {f"product_{kind}_{key}": value for key, value in _product(on, kind, options).items()}
                for name, port in ports.items():
                    figures |= {
                        f"{name}_{kind}_{key}": value for key, value in _peer(on, name, port, kind, options).items()
                    }
                figures[f"vs_aiogram_{kind}"] = figures[f"product_{kind}_rate"] / figures[f"aiogram_{kind}_rate"]
            result.passes.append(figures)
        lost = on.number("SELECT count(*) FROM webhook_events WHERE state <> 'done'")
    _add_figures(result, lost)
    return result


def _add_figures(result: Result, lost: int) -> None:
    passes = result.passes
    for kind in _KINDS:
        result.add(f"{kind}: product / aiogram + asyncpg", median_of(passes, f"vs_aiogram_{kind}"), "", 1.0, "more")
    for kind in _KINDS:
        result.add(f"{kind}: processed by one worker", median_of(passes, f"product_{kind}_rate"), "updates/s")
        for name in _PEERS:
            result.add(f"{kind}: {name}", median_of(passes, f"{name}_{kind}_rate"), "updates/s")
        result.add(f"{kind}: the worker's CPU an update", median_of(passes, f"product_{kind}_cpu_ms"), "ms", 1.5)
        for name in _PEERS:
            result.add(f"{kind}: {name}'s CPU an update", median_of(passes, f"{name}_{kind}_cpu_ms"), "ms")
        for name in ("product", *_PEERS):
            result.add(f"{kind}: PostgreSQL's CPU, {name}", median_of(passes, f"{name}_{kind}_postgres_ms"), "ms")
    result.add("not processed", lost, "", 0)


def _start_peers(on: Stage, ports: dict[str, int], workspace_id: int) -> None:
    on.execute(*(f"CREATE TABLE bench_{name} (LIKE {name} INCLUDING ALL)" for name in _PEER_TABLES))
    on.execute(
        "ALTER TABLE bench_conversations ADD FOREIGN KEY (workspace_id, identity_id)"
        " REFERENCES bench_identities (workspace_id, id)",
        "ALTER TABLE bench_messages ADD FOREIGN KEY (workspace_id, conversation_id)"
        " REFERENCES bench_conversations (workspace_id, id)",
        "ALTER TABLE bench_message_parts ADD FOREIGN KEY (workspace_id, message_id)"
        " REFERENCES bench_messages (workspace_id, id)",
        "ALTER TABLE bench_deliveries ADD FOREIGN KEY (workspace_id, message_id)"
        " REFERENCES bench_messages (workspace_id, id)",
    )
    sender_id = on.number("SELECT id FROM senders WHERE source = 'environment'")
    words = (WEBHOOK_SECRET, on.postgres.url, str(workspace_id), str(sender_id))
    on.peer("aiogram_store", str(ports["aiogram"]), *words, under="aiogram")
    on.peer("aiogram_store", str(ports["aiogram_uvloop"]), *words, "uvloop", under="aiogram_uvloop")
    for name, port in ports.items():
        wait_for(partial(listens, port), 120, name)


def _product(on: Stage, kind: str, options: Options) -> dict[str, Any]:
    """Stores the updates while the worker stands still, and measures it from then on."""
    workers = on.worker_children("intake")
    for worker in workers:
        worker.suspend()
    done = _send(on, on.port, "/telegram/webhook", kind, options)
    before = cpu.seconds(process.pid for process in workers), cpu.seconds([on.postgres_pid])
    begun = time.monotonic()
    for worker in workers:
        worker.resume()
    while not _all_ended(on):
        if time.monotonic() - begun > 300:
            raise TimeoutError("the worker does not come to an end")
        time.sleep(0.02)
    seconds = time.monotonic() - begun
    used = cpu.seconds(process.pid for process in workers) - before[0], cpu.seconds([on.postgres_pid]) - before[1]
    return _figures(done["requests"], seconds, *used)


def _peer(on: Stage, name: str, port: int, kind: str, options: Options) -> dict[str, Any]:
    before = cpu.seconds(on.pids(name)), cpu.seconds([on.postgres_pid])
    done = _send(on, port, "/webhook", kind, options)
    used = cpu.seconds(on.pids(name)) - before[0], cpu.seconds([on.postgres_pid]) - before[1]
    return _figures(done["requests"], done["seconds"], *used)


def _figures(count: int, seconds: float, own: float, postgres: float) -> dict[str, Any]:
    return {"rate": count / seconds, "cpu_ms": own * 1000 / count, "postgres_ms": postgres * 1000 / count}


def _send(
    on: Stage, port: int, path: str, kind: str, options: Options | None = None, *, most: int = 0, chats: int = 0
) -> dict[str, Any]:
    text, count, of_chats = _KINDS[kind]
    if options is not None and options.quick:
        count, of_chats = count // 10, of_chats // 10
    first = next(_chats)
    done = on.load(
        port=port,
        path=path,
        body=_BODY.replace("{now}", str(int(time.time()))).replace("{text}", text),
        values=[str(first + number) for number in range(chats or of_chats)],
        headers=_HEADERS,
        connections=32,
        seconds=120.0,
        first=next(_numbers),
        most=most or count,
    )
    if set(done["statuses"]) != {"200"}:
        raise RuntimeError(f"{path} answered {done['statuses']}")
    return done


def _all_ended(on: Stage) -> bool:
    return on.number("SELECT count(*) FROM (SELECT 1 FROM webhook_events WHERE state = 'new' LIMIT 1) n") == 0
