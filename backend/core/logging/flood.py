"""Lines of one kind are written so many in ten seconds; the rest is counted and told in one line.

Anybody can cause a warning, a traceback or a refused request as often as they like, and a disk that is full of them
stops everything. What succeeds is not counted: those lines cost whoever sends them as much as us.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

WINDOW_SECONDS: Final = 10.0
TRACEBACKS: Final = 20
WARNINGS: Final = 100
OTHERS: Final = 1000
MAX_KINDS: Final = 2000
LEFT_OUT: Final = "log_lines_left_out"
_SUCCESSES: Final = range(100, 400)

Kind = tuple[str, str, str]


@dataclass(slots=True)
class _Window:
    began: float
    written: int = 0
    left_out: int = 0


class FloodFilter(logging.Filter):
    """Lets a record through or counts it. `report` gets a kind and how many of its lines an ended window left out."""

    def __init__(self, report: Callable[[Kind, int], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._report = report
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._windows: dict[Kind, _Window] = {}
        self._looked = monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        kind, most = _kind_of(record)
        now = self._monotonic()
        with self._lock:
            over = self._ended(now)
            let = kind is None or self._let(kind, most, now)
        for name, count in over:
            self._report(name, count)
        return let

    def _let(self, kind: Kind, most: int, now: float) -> bool:
        window = self._windows.setdefault(kind, _Window(now))
        if window.written < most:
            window.written += 1
            return True
        window.left_out += 1
        return False

    def _ended(self, now: float) -> list[tuple[Kind, int]]:
        """The windows that are over, with what they left out; looked for once a second, and when they are too many."""
        if now - self._looked < 1.0 and len(self._windows) < MAX_KINDS:
            return []
        self._looked = now
        crowded = len(self._windows) >= MAX_KINDS
        over = [key for key, window in self._windows.items() if crowded or now - window.began >= WINDOW_SECONDS]
        ended = [(key, self._windows.pop(key).left_out) for key in over]
        return [(key, count) for key, count in ended if count]


def _kind_of(record: logging.LogRecord) -> tuple[Kind | None, int]:
    """Which lines it is counted with, and how many of them are written; None for one that is always written."""
    fields = record.msg if isinstance(record.msg, dict) else {}
    # Text is cut: a library's may hold what a stranger sent.
    event = str(fields.get("event", record.msg))[:80]
    if event == LEFT_OUT:
        return None, 0
    status = fields.get("status")
    refused = isinstance(status, int) and status not in _SUCCESSES
    if isinstance(status, int) and not refused:
        return None, 0
    kind = (record.name, event, str(status) if refused else record.levelname)
    if record.exc_info or fields.get("exc_info"):
        return kind, TRACEBACKS
    return kind, WARNINGS if record.levelno >= logging.WARNING else OTHERS
