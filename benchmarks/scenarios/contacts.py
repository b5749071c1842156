"""A file of 100,000 contacts, as CSV and as a workbook: the time until it is checked and until it is stored, the time
of its undo, and the most memory that the process needed.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl

from benchmarks.result import Options, Result, median_of
from benchmarks.seeding import Seeding
from benchmarks.stage import ROOT, Stage, stage

NAME = "contacts"
HEADER = ("First name", "Last name", "Company", "Phone", "E-mail", "Tags")


def run(options: Options) -> Result:
    """See the module."""
    result = Result(NAME)
    rows = 5_000 if options.quick else 100_000
    with stage() as on, tempfile.TemporaryDirectory() as folder:
        workspace_id = Seeding(on).workspace()
        table, workbook = Path(folder) / "people.csv", Path(folder) / "people.xlsx"
        _write(table, workbook, rows)
        for _ in range(options.passes):
            result.passes.append(_import(on, table, workspace_id))
        by_workbook = _import(on, workbook, workspace_id)
    for figures in (*result.passes, by_workbook):
        if figures["created"] != rows:
            result.void.append(f"{figures['created']} of {rows} people were stored")
    totals = [_totals(figures) for figures in result.passes]
    result.add(f"checking and storing {rows:,} contacts", median_of(totals, "seconds"), "s", 60.0)
    result.add("of that, CPU of the process", median_of(totals, "python"), "s")
    result.add("of that, CPU of PostgreSQL", median_of(totals, "postgres"), "s")
    result.add("memory of the process", max(figures["memory"] for figures in result.passes), "MB", 300.0)
    result.add("undoing it", median_of([figures["undo"] for figures in result.passes], "seconds"), "s")
    result.add("the same from a workbook", _totals(by_workbook)["seconds"], "s")
    result.add("memory for the workbook", by_workbook["memory"], "MB", 300.0)
    return result


def _totals(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures["check"][name] + figures["run"][name] for name in ("seconds", "python", "postgres")}


def people(rows: int) -> Iterator[tuple[str, ...]]:
    """The lines of a file of so many people below `HEADER`."""
    for number in range(rows):
        phone = f"+82 10-{2000 + number // 10_000}-{number % 10_000:04d}"
        yield f"P{number}", f"Q{number}", "Example Mills", phone, f"p{number}@example.com", "Fair 2026; Buyers"


def _write(table: Path, workbook: Path, rows: int) -> None:
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(people(rows))
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(HEADER)
    for person in people(rows):
        sheet.append(person)
    book.save(workbook)


def _import(on: Stage, path: Path, workspace_id: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.contacts_cost", str(path), str(workspace_id)]
    ended = subprocess.run(command, cwd=ROOT, env=on.variables(), stdout=subprocess.PIPE, check=True)
    spent: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return spent
