"""Asks the inbox's API in this process, and prints what each kind of call took, as JSON.

`python -m benchmarks.inbox_cost TOKEN POSTGRES_PID CALLS QUERIES CONVERSATIONS` with the product's environment; QUERIES
is a file with searches by kind. For each kind: the first call, p50 and p95 in milliseconds, CPU of PostgreSQL and this
process together, and the most statements.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from sqlalchemy import event

from backend.app import create_app
from backend.core.database import db


def main() -> None:
    """Measures every kind of call."""
    token, postgres, calls = sys.argv[1], psutil.Process(int(sys.argv[2])), int(sys.argv[3])
    searches: dict[str, list[str]] = json.loads(Path(sys.argv[4]).read_text())
    app = create_app()
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    statements = 0

    def count(*_arguments: Any) -> None:
        nonlocal statements
        statements += 1

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", count)

    def ask(path: str) -> int:
        nonlocal statements
        statements = 0
        response = client.get(path, headers=headers)
        if response.status_code != 200:
            raise SystemExit(f"{path}: {response.status_code} {response.get_data(as_text=True)}")
        return statements

    spent = {}
    for name, paths in _paths(searches, int(sys.argv[5])).items():
        # The first call of all learns what a process learns once: signs, statements, plans.
        began = time.perf_counter()
        ask(next(paths))
        first = (time.perf_counter() - began) * 1000
        for _ in range(max(5, calls // 10)):
            ask(next(paths))
        times, most = [], 0
        before = _cpu(postgres)
        for _ in range(calls):
            began = time.perf_counter()
            most = max(most, ask(next(paths)))
            times.append((time.perf_counter() - began) * 1000)
        cpu = (_cpu(postgres) - before) / calls * 1000
        times.sort()
        p95 = times[int(len(times) * 0.95)]
        spent[name] = {
            "first": first, "p50": statistics.median(times), "p95": p95, "cpu": cpu, "statements": most,
        }  # fmt: skip
    sys.stdout.write(json.dumps(spent))


def _paths(searches: dict[str, list[str]], conversations: int) -> dict[str, Iterator[str]]:
    of = random.Random(11)  # noqa: S311 - a measurement's conversations
    lists = [
        "", "?status=open", "?status=closed", "?assignee=me", "?assignee=none&status=open", "?unread=true", "?label=3",
        "?channel=instagram", "?status=open,waiting", "?status=snoozed", "?late=true",
    ]  # fmt: skip
    threads = [
        of.randrange(max(1, conversations // 1000)) + 1 if n % 4 == 0 else of.randrange(1, conversations)
        for n in range(2000)
    ]
    paths: dict[str, Iterator[str]] = {
        "list": cycle(f"/api/conversations{query}" for query in lists),
        "counts": cycle(["/api/conversations/counts"]),
        "thread": cycle(f"/api/conversations/{number}/messages" for number in threads),
    }
    for kind, queries in searches.items():
        paths[f"search, {kind}"] = cycle(f"/api/search?q={quote(query)}" for query in queries)
    return paths


def _cpu(postgres: psutil.Process) -> float:
    own = time.process_time()
    for process in postgres.children():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        own += times.user + times.system
    return own


if __name__ == "__main__":
    main()
