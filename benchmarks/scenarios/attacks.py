"""Attacks on the web process (`benchmarks/attacks`): its memory before, during and after each, what it holds on disk,
and the longest wait of other callers meanwhile. The process may open 1,024 files, as is common. The worker runs too,
with all its roles.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.attacks import OTHER_EMAIL, OWN_EMAIL, PASSWORD, Attack, Target, attacks
from benchmarks.result import ROOT, Options, Result
from benchmarks.stage import WEBHOOK_SECRET, Stage, stage

NAME = "attacks"
_OPEN_FILES = 1024
_SETTLE = 12.0
"""Seconds after an attack until its memory is read."""
_MIB = 1024 * 1024
_OLDEST_UPDATE = (
    "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(received_at)), 0)"
    " FROM webhook_events WHERE state = 'new'"
)


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    with stage() as on:
        on.start_provider()
        on.start_web(open_files=_OPEN_FILES)
        on.start_worker()
        mine, others = _register(on, OWN_EMAIL), _register(on, OTHER_EMAIL)
        target = Target(on, on.port, mine, others, options.quick)
        _use(on, mine)
        for attack in (Attack("nothing", lambda _: time.sleep(3)), *attacks()):
            given = replace(target, wrong=[], slowest=[])
            result.passes.append(_watch(on, others, attack, given, settle=3.0 if options.quick else _SETTLE))
    first, last = result.passes[0]["before_mib"], result.passes[-1]["after_mib"]
    result.add("memory after all of them / before the first", last / first, "", 1.1)
    for figures in result.passes:
        name = figures["name"]
        result.add(f"{name}: another workspace's longest wait", figures["api"]["longest_ms"], "ms", 1000)
        result.add(f"{name}: a webhook's longest wait", figures["webhook"]["longest_ms"], "ms", 500)
        result.add(
            f"{name}: others refused", sum(len(figures[who]["failed"]) for who in ("api", "webhook", "health")), "", 0
        )
        result.add(f"{name}: wrong answers to the attacker", len(figures["wrong"]), "", 0)
        result.add(f"{name}: the attacker's longest wait", figures["slowest"], "s")
        result.add(f"{name}: an update's longest wait to be processed", figures["update_seconds"], "s")
        result.add(f"{name}: memory before", figures["before_mib"], "MiB")
        result.add(f"{name}: memory at most", figures["most_mib"], "MiB")
        result.add(f"{name}: memory after / before", figures["after_mib"] / figures["before_mib"], "", 1.1)
        result.add(f"{name}: on disk at most", figures["disk_mib"], "MiB")
    return result


def _use(on: Stage, token: str) -> None:
    """Ordinary work, after which the process has what it needs for good: ten people at once do a bit of everything."""
    alerts = [
        {"labels": {"alertname": "Disk", "n": str(n)}, "annotations": {"summary": "x" * 2000}} for n in range(500)
    ]
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * 5 * _MIB + b"\r\n--b--"
    )
    requests: list[tuple[str, str, bytes | None, str]] = [
        ("GET", "/api/openapi.json", None, ""),
        ("GET", "/api/alerts", None, ""),
        ("POST", "/api/alerts/alertmanager", json.dumps({"alerts": alerts}).encode(), "application/json"),
        ("POST", "/api/files", form, 'multipart/form-data; boundary="b"'),
    ]

    def work() -> None:
        for method, path, body, kind in requests:
            connection = http.client.HTTPConnection("127.0.0.1", on.port, timeout=60)
            headers = {"Authorization": f"Bearer {token}"} | ({"Content-Type": kind} if kind else {})
            connection.request(method, path, body, headers)
            connection.getresponse().read()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _register(on: Stage, email: str) -> str:
    body = {"email": email, "password": PASSWORD, "name": email, "workspace": email}
    connection = http.client.HTTPConnection("127.0.0.1", on.port, timeout=20)
    connection.request("POST", "/api/auth/register", json.dumps(body), {"Content-Type": "application/json"})
    return str(json.loads(connection.getresponse().read())["access_token"])


def _watch(on: Stage, others: str, attack: Attack, target: Target, *, settle: float) -> dict[str, Any]:
    web = psutil.Process(on.pids("web")[0])
    before = web.memory_info().rss
    most = {"memory": before, "disk": 0, "update": 0.0}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            most["memory"] = max(most["memory"], web.memory_info().rss)
            most["disk"] = max(most["disk"], _on_disk(web.pid))

    def ask_for_updates() -> None:
        while not over.wait(0.5):
            most["update"] = max(most["update"], float(on.rows(_OLDEST_UPDATE)[0][0]))

    looking = [threading.Thread(target=watcher, daemon=True) for watcher in (look, ask_for_updates)]
    command = [sys.executable, "-m", "benchmarks.callers"]
    asking = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert asking.stdin is not None
    asking.stdin.write(json.dumps({"port": on.port, "token": others, "secret": WEBHOOK_SECRET}) + "\n")
    asking.stdin.flush()
    time.sleep(1.0)
    for watcher in looking:
        watcher.start()
    begun = time.monotonic()
    attack.run(target)
    lasted = time.monotonic() - begun
    time.sleep(1.0)
    output, _ = asking.communicate(timeout=120)
    over.set()
    for watcher in looking:
        watcher.join()
    time.sleep(settle)
    return json.loads(output) | {
        "name": attack.name,
        "seconds": lasted,
        "wrong": target.wrong[:20],
        "slowest": max(target.slowest, default=0.0),
        "update_seconds": most["update"],
        "before_mib": before / _MIB,
        "most_mib": most["memory"] / _MIB,
        "after_mib": web.memory_info().rss / _MIB,
        "disk_mib": most["disk"] / _MIB,
    }


def _on_disk(pid: int) -> int:
    """Bytes of files that the process holds open though they have no name any more, as far as the system tells."""
    total = 0
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            if os.readlink(link).endswith("(deleted)"):
                total += link.stat().st_size
        except OSError:
            continue
    return total
