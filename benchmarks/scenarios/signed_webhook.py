"""Signed deliveries of WhatsApp that are acknowledged after their commit: one item each, and bodies of a thousand,
beside FastAPI with asyncpg, which checks the same signature and stores a row for each item.

Throughput is the web process's, with no workers beside it, as the peer has none. What was acknowledged is counted in
the database.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

from benchmarks import cpu
from benchmarks.load import free_port
from benchmarks.profiling import profile
from benchmarks.result import Options, Result, median_of
from benchmarks.stage import Stage, listens, stage, wait_for

NAME = "signed_webhook"
SECRET = "the-secret-of-an-application-for-figures"  # noqa: S105 - made up
NUMBER = "106540352242922"
ITEMS = 1_000
_ITEM = (
    '{"from":"8210%V%","from_user_id":"KR.134912086%V%","id":"wamid.HBgMODIxMDEyMzQ1Njc4FQIAEhgg%N%",'
    '"timestamp":"1764288000","type":"text","text":{"body":"\\uc548\\ub155 When do you open? Question number %N%."}}'
)
_BODY = (
    '{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"field":"messages","value":'
    '{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001111","phone_number_id":"'
    + NUMBER
    + '"},"contacts":[{"profile":{"name":"Mina"},"wa_id":"821000000001"}],"messages":[%ITEMS%]}}]}]}'
)
_PEOPLE = [f"{i:08}" for i in range(500)]
_numbers = itertools.count(10_000_000, 10_000_000)


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    seconds, large = (2.0, 10) if options.quick else (10.0, 100)
    with stage() as on:
        on.environment |= {
            "META_ACCESS_TOKEN": "EXAMPLE-not-a-real-token",
            "META_APP_SECRET": SECRET,
            "META_PHONE_NUMBER_ID": NUMBER,
            "META_GRAPH_URL": "http://127.0.0.1:9",
            "VERIFY_TOKEN": "EXAMPLE-verify-token",
        }
        on.start_web()
        ports = {"product": on.port, "fastapi": free_port()}
        _send(on, "product", on.port, seconds=0.2)  # makes the environment's row
        _start_peer(on, ports["fastapi"])
        for name, port in ports.items():
            _send(on, name, port, seconds=1.0)  # warm
            _large(on, name, port, 8)
        for number in range(options.passes):
            figures: dict[str, Any] = {}
            for name, port in ports.items():
                with profile(options if name == "product" else Options(), on.pids("web")[0], f"signed-{number}"):
                    figures |= {f"{name}_{key}": value for key, value in _single(on, name, port, seconds).items()}
            for name, port in ports.items():
                bodies = _large(on, name, port, large)
                figures[f"{name}_item_rate"] = bodies["item_rate"]
                figures[f"{name}_lost"] += bodies["lost"]
            figures["vs_single"] = figures["product_rate"] / figures["fastapi_rate"]
            figures["vs_large"] = figures["product_item_rate"] / figures["fastapi_item_rate"]
            result.passes.append(figures)
    _add_figures(result)
    return result


def _add_figures(result: Result) -> None:
    passes = result.passes
    result.add("one item each: product / FastAPI + asyncpg", median_of(passes, "vs_single"), "", 1.0, "more")
    result.add("bodies of 1,000 items: product / FastAPI + asyncpg", median_of(passes, "vs_large"), "", 1.0, "more")
    for name in ("product", "fastapi"):
        result.add(f"one item each: {name}", median_of(passes, f"{name}_rate"), "requests/s")
        result.add(f"one item each, p99: {name}", median_of(passes, f"{name}_p99_ms"), "ms")
        result.add(f"CPU a request outside PostgreSQL: {name}", median_of(passes, f"{name}_cpu_ms"), "ms")
        result.add(f"CPU a request in PostgreSQL: {name}", median_of(passes, f"{name}_postgres_ms"), "ms")
        result.add(f"bodies of 1,000 items: {name}", median_of(passes, f"{name}_item_rate"), "items/s")
        result.add(f"acknowledged and not stored: {name}", median_of(passes, f"{name}_lost"), "", 0)


def _start_peer(on: Stage, port: int) -> None:
    on.execute(
        "CREATE TABLE bench_events (LIKE webhook_events INCLUDING ALL)",
        "CREATE TABLE bench_keys (LIKE webhook_event_keys INCLUDING ALL)",
        "ALTER TABLE bench_events ADD FOREIGN KEY (sender_id) REFERENCES senders (id)",
        "ALTER TABLE bench_keys ADD FOREIGN KEY (sender_id) REFERENCES senders (id)",
    )
    sender_id = on.number("SELECT id FROM senders WHERE source = 'environment' AND channel = 'whatsapp'")
    on.peer("fastapi_signed", str(port), on.postgres.url, SECRET, str(sender_id), under="fastapi")
    wait_for(partial(listens, port), 20, "fastapi")


def _send(on: Stage, name: str, port: int, **plan: Any) -> dict[str, Any]:
    whole = {"body": _BODY, "item": _ITEM, "items": 1, "values": _PEOPLE, "sign_with": SECRET, "connections": 32}
    path = "/whatsapp/webhook" if name == "product" else "/webhook"
    done = on.load(port=port, path=path, first=next(_numbers), **(whole | plan))
    if set(done["statuses"]) != {"200"}:
        raise RuntimeError(f"{name} answered {done['statuses']}")
    return done


def _stored(on: Stage, name: str) -> int:
    return on.number(f"SELECT count(*) FROM {'webhook_events' if name == 'product' else 'bench_events'}")  # noqa: S608


def _single(on: Stage, name: str, port: int, seconds: float) -> dict[str, Any]:
    root, stored = "web" if name == "product" else name, _stored(on, name)
    before = cpu.seconds(on.pids(root)), cpu.seconds([on.postgres_pid])
    done = _send(on, name, port, seconds=seconds)
    used = cpu.seconds(on.pids(root)) - before[0], cpu.seconds([on.postgres_pid]) - before[1]
    return {
        "rate": done["rate"],
        "p99_ms": done["p99_ms"],
        "cpu_ms": used[0] * 1000 / done["requests"],
        "postgres_ms": used[1] * 1000 / done["requests"],
        "lost": done["requests"] - (_stored(on, name) - stored),
    }


def _large(on: Stage, name: str, port: int, bodies: int) -> dict[str, Any]:
    stored = _stored(on, name)
    done = _send(on, name, port, seconds=300.0, most=bodies, items=ITEMS, connections=4)
    return {"item_rate": done["rate"] * ITEMS, "lost": done["requests"] * ITEMS - (_stored(on, name) - stored)}
