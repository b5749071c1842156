"""What a scenario hands back: figures beside what was to be reached."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil

ROOT = Path(__file__).resolve().parents[1]
PEER_PYTHON = ROOT / "var" / "bench-venv" / "bin" / "python"
"""The interpreter of the provider, the load and the peers."""


@dataclass(frozen=True)
class Options:
    """How thoroughly to measure. `quick` is for trying the measurements, not for figures."""

    passes: int = 3
    quick: bool = False
    minutes: float = 20.0
    """Of the soak."""
    profile: bool = False
    """Have py-spy watch the process that works hardest; this costs speed, so such a run's figures do not count."""
    folder: Path = Path("var/bench")
    rows: int = 50_000_000
    """Of history, in the measurement of scale."""


@dataclass(frozen=True)
class Figure:
    """One measured number; `target` is None for one that only explains others."""

    name: str
    value: float
    unit: str = ""
    target: float | None = None
    better: Literal["more", "less"] = "less"

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "more" else self.value <= self.target


@dataclass
class Result:
    """A scenario's figures, what they were made of, and why they may be void."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    passes: list[dict[str, Any]] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        value: float,
        unit: str = "",
        target: float | None = None,
        better: Literal["more", "less"] = "less",
    ) -> None:
        """Adds a figure."""
        self.figures.append(Figure(name, round(float(value), 4), unit, target, better))

    def check_ceiling(self, rate: float, ceiling: float) -> None:
        """A run that the provider itself may have slowed down is void."""
        if rate > ceiling / 2:
            self.void.append(f"{rate:.0f} a second is above half of the provider's ceiling of {ceiling:.0f}")


def median_of(passes: Sequence[dict[str, Any]], name: str) -> float:
    """The median of a number over the passes."""
    return statistics.median(float(figures[name]) for figures in passes)


def machine() -> dict[str, Any]:
    """Where and when this was measured."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": _revision(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": os.getloadavg(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _revision() -> str:
    """What is measured: the commit, or what an export says of itself in REVISION."""
    noted = Path("REVISION")
    if noted.exists():
        return noted.read_text().strip()
    words = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def table(results: Sequence[Result]) -> str:
    """The figures as a Markdown table."""
    lines = ["| measurement | figure | measured | to reach | met |", "|---|---|---|---|---|"]
    for result in results:
        for figure in result.figures:
            sign = "≥" if figure.better == "more" else "≤"
            wanted = "–" if figure.target is None else f"{sign} {figure.target:g}"
            verdict = {None: "–", True: "yes", False: "**no**"}[figure.met]
            lines.append(f"| {result.name} | {figure.name} | {figure.value:g} {figure.unit} | {wanted} | {verdict} |")
        lines += [f"| {result.name} | VOID: {why} | | | |" for why in result.void]
        lines += [f"| {result.name} | note: {note} | | | |" for note in result.notes]
    return "\n".join(lines)


def save(results: Sequence[Result], where: dict[str, Any], folder: Path) -> Path:
    """Writes everything as JSON, one file a run; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    whole = {"machine": where, "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False, default=str))
    return path


Scenario = Callable[[Options], Result]
