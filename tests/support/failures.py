"""What failed in a run, one line each, for `bin/test` to say last: `FAILURES_FILE` names where it reads them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FAILURES_FILE = "TEST_FAILURES_FILE"
_MAX_REASON = 240


def lines_of(reports: Iterable[Any]) -> list[str]:
    """Each report's test and the first line of why it failed."""
    return [f"{report.nodeid or 'collection'}: {_reason(report)}" for report in reports]


def write(stats: Mapping[str, list[Any]]) -> None:
    """Writes what failed or broke in its fixtures to the file that the environment names, if it names one."""
    place = os.environ.get(FAILURES_FILE)
    if place:
        reports = [*stats.get("failed", []), *stats.get("error", [])]
        Path(place).write_text("".join(f"{line}\n" for line in lines_of(reports)), encoding="utf-8")


def _reason(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr or "no reason was given")
    # What is said of an exception begins with it; of a text without one, the last line says most.
    said = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason was given"]
    line = said[0] if crash is not None else said[-1]
    where = "" if report.when in (None, "call") else f" (in its {report.when})"
    return line[:_MAX_REASON] + where
