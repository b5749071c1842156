"""A campaign to 100,000 people: drafted, checked, launched, planned, and its ledger read, with a second one beside it.

Seconds are what a person waits; CPU seconds are what counts on a machine with neighbours.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.result import ROOT, Options, Result, median_of
from benchmarks.scenarios import contacts
from benchmarks.seeding import Seeding
from benchmarks.stage import Stage, stage

NAME = "campaigns"
_TARGETS = {"draft": 10.0, "preflight": 10.0, "launch": 10.0, "page": 0.05}
_SHOWN = ("draft", "preview", "preflight", "launch", "turn", "page", "page of a state", "counts")


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    rows = 5_000 if options.quick else 100_000
    with stage() as on, tempfile.TemporaryDirectory() as folder:
        workspace_id = Seeding(on).workspace()
        table = Path(folder) / "people.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(contacts.HEADER)
            writer.writerows(contacts.people(rows))
        _measured(on, "benchmarks.contacts_cost", str(table), str(workspace_id), "--keep")
        for _ in range(options.passes):
            result.passes.append(_measured(on, "benchmarks.campaigns_cost", str(workspace_id)))
    if result.passes[0]["people"] != rows:
        result.void.append(f"{result.passes[0]['people']} of {rows} people were stored")
    for step in _SHOWN:
        taken = [measured[step] for measured in result.passes]
        result.add(f"{step}, {rows:,} people", median_of(taken, "seconds"), "s", _TARGETS.get(step))
        result.add("of that, CPU of the process", median_of(taken, "python"), "s")
        result.add("of that, CPU of PostgreSQL", median_of(taken, "postgres"), "s")
        result.add("statements", median_of(taken, "statements"))
    result.add("memory of the process", max(measured["memory"] for measured in result.passes), "MB", 300.0)
    return result


def _measured(on: Stage, module: str, *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", module, *words]
    ended = subprocess.run(command, cwd=ROOT, env=on.variables(), stdout=subprocess.PIPE, check=True)
    spent: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return spent
