"""Live connections beside webhooks: what 500 of them cost a web process that takes updates, and how it ends with them.

Half are server-sent events, half WebSockets, of ten people. In the quiet phases nothing changes; in the busy one twenty
changes a second are told to all of them. Throughput is compared with the same process without live connections, pass by
pass in turn. At the end SIGTERM: the time until every stream was told, and until the process was gone.
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import redis

from benchmarks import cpu
from benchmarks.result import ROOT, Options, Result, median_of
from benchmarks.scenarios.webhook import _send
from benchmarks.stage import Stage, stage

NAME = "live"
_PEOPLE = 10
_NOTE = (
    "INSERT INTO live_events (workspace_id, topic, ids, at)"
    " VALUES (%s, 'messages', jsonb_build_object('message_id', %s::bigint), now())"
)


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    seconds = 2.0 if options.quick else 8.0
    connections = 50 if options.quick else 500
    with stage() as on:
        on.start_provider()
        on.start_web()
        _send(on, "product", on.port, seconds=0.1)  # makes the default bot's row
        tokens = [_register(on, number) for number in range(_PEOPLE)]
        _webhooks(on, 1.0)  # warm
        for number in range(options.passes):
            bare = _webhooks(on, seconds)
            before = cpu.resident(on.pids("web"))
            with _Listeners(on, tokens, connections) as listeners:
                memory = (cpu.resident(on.pids("web")) - before) / connections / 1024
                idle = _webhooks(on, seconds)
                with _Noting(on, number) as noting:
                    busy = _webhooks(on, seconds)
                heard = listeners.heard(noting.count)
            result.passes.append(
                {f"bare_{key}": value for key, value in bare.items()}
                | {f"idle_{key}": value for key, value in idle.items()}
                | {f"busy_{key}": value for key, value in busy.items()}
                | {"kept_idle": idle["rate"] / bare["rate"], "kept_busy": busy["rate"] / bare["rate"]}
                | {"kilobytes": memory, "missed": heard["missed"], "lag_ms": heard["lag_ms"]}
            )
        ending = _end(on, tokens, connections)
    passes = result.passes
    result.add(
        f"webhooks with {connections} idle connections / without", median_of(passes, "kept_idle"), "", 0.8, "more"
    )
    result.add(
        "webhooks with 20 changes a second to all of them / without", median_of(passes, "kept_busy"), "", 0.8, "more"
    )
    for name in ("bare", "idle", "busy"):
        result.add(f"webhooks: {name}", median_of(passes, f"{name}_rate"), "requests/s")
        result.add(f"CPU a webhook: {name}", median_of(passes, f"{name}_cpu_ms"), "ms")
    result.add("memory of a connection (first pass)", max(figures["kilobytes"] for figures in passes), "KB")
    result.add("changes that a connection missed", sum(figures["missed"] for figures in passes), "", 0)
    result.add("from the commit to the client, p99", median_of(passes, "lag_ms"), "ms")
    result.add("SIGTERM: until the last stream was told", ending["told"], "s", 2.0)
    result.add("SIGTERM: until the process was gone", ending["gone"], "s", 2.0)
    result.add("SIGTERM: streams that were not told", ending["untold"], "", 0)
    return result


def _register(on: Stage, number: int) -> str:
    body = {
        "email": f"p{number}@example.com",
        "password": "correct horse battery",
        "name": "P",
        "workspace": f"W{number}",
    }
    connection = http.client.HTTPConnection("127.0.0.1", on.port, timeout=30)
    connection.request("POST", "/api/auth/register", json.dumps(body), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return str(answer["access_token"])


def _webhooks(on: Stage, seconds: float) -> dict[str, float]:
    before = cpu.seconds(on.pids("web"))
    done = _send(on, "product", on.port, seconds=seconds)
    if set(done["statuses"]) != {"200"}:
        raise RuntimeError(f"answered {done['statuses']}")
    used = cpu.seconds(on.pids("web")) - before
    return {"rate": done["rate"], "cpu_ms": used * 1000 / done["requests"], "p99_ms": done["p99_ms"]}


class _Listeners:
    """The connections, in a process of their own (`benchmarks.listeners`)."""

    def __init__(self, on: Stage, tokens: list[str], count: int) -> None:
        plan = {"port": on.port, "tokens": tokens, "count": count}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.listeners"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plan) + "\n")
        self._process.stdin.flush()
        self._expect("ready")

    def _expect(self, what: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        if line["type"] != what:
            raise RuntimeError(f"the listeners say {line}")
        return line

    def heard(self, count: int) -> dict[str, Any]:
        """Waits until all have heard `count` changes, or for ten seconds: how many were missed, how late they came."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"expect": count}) + "\n")
        self._process.stdin.flush()
        return self._expect("heard")

    def report(self) -> dict[str, Any]:
        """Waits until every stream has ended."""
        return self._expect("ended")

    def __enter__(self) -> _Listeners:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()


class _Noting:
    """Twenty changes a second, of every workspace in turn."""

    def __init__(self, on: Stage, number: int) -> None:
        self._on = on
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0
        self._first = number * 1_000_000

    def _run(self) -> None:
        store = redis.Redis.from_url(self._on.valkey.url)
        with self._on.connect() as connection:
            homes = [row[0] for row in connection.execute("SELECT id FROM workspaces ORDER BY id").fetchall()]
            while not self._stop.wait(0.05):
                # One for each, so that every connection hears the same number. The id says when it was written.
                for home in homes:
                    connection.execute(_NOTE, (home, time.time_ns()))
                store.publish("switchboard:live", b"1")
                self.count += 1
        store.close()

    def __enter__(self) -> _Noting:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()


def _end(on: Stage, tokens: list[str], connections: int) -> dict[str, float]:
    with _Listeners(on, tokens, connections) as listeners:
        web = on.processes["web"]
        begun = time.time()
        web.send_signal(signal.SIGTERM)
        report = listeners.report()
        web.wait(30)
        gone = time.time() - begun
    return {"told": report["last"] - begun, "gone": gone, "untold": report["untold"]}
