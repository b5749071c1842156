"""The accepted log: every Bot API call in the order in which the simulator took it, kept as lines of JSON.

An entry is written at the instant of acceptance, before any answer leaves, so that "accepted but the client
never heard" shows up. With a file, each line is handed to the operating system before the call is answered.
"""

from __future__ import annotations

import os
import time
from typing import Any

import orjson


class Journal:
    """An append-only list of entries numbered from 1."""

    def __init__(self, path: str | None = None) -> None:
        """`path`: a file that every entry is also appended to."""
        self._lines: list[bytes] = []
        self._base = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if path else None

    def append(self, entry: dict[str, Any]) -> int:
        """Number and time the entry (`at`: Unix seconds, `monotonic`: this machine's monotonic clock);
        returns its number.
        """
        seq = self._base + len(self._lines) + 1
        stamped = {"seq": seq, "at": time.time(), "monotonic": time.monotonic(), **entry}
        line = orjson.dumps(stamped, option=orjson.OPT_NON_STR_KEYS)
        self._lines.append(line)
        if self._file is not None:
            os.write(self._file, line + b"\n")
        return seq

    @property
    def last(self) -> int:
        """The number of the newest entry, 0 when there is none."""
        return self._base + len(self._lines)

    def read(self, since: int = 0, limit: int = 0, **wanted: Any) -> list[dict[str, Any]]:
        """Entries numbered above `since`, oldest first, at most `limit` (0: all), whose fields have the
        wanted values.
        """
        lines: list[dict[str, Any]] = []
        for line in self._lines[max(since - self._base, 0) :]:
            entry = orjson.loads(line)
            if all(entry.get(name) == value for name, value in wanted.items()):
                lines.append(entry)
                if limit and len(lines) >= limit:
                    break
        return lines

    def raw(self, since: int = 0) -> bytes:
        """The same as one JSON array, without decoding anything."""
        return b"[" + b",".join(self._lines[max(since - self._base, 0) :]) + b"]"

    def clear(self) -> None:
        """Forget the entries in memory. Numbers go on rising, and the file keeps what it has."""
        self._base += len(self._lines)
        self._lines.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def rate_violations(
    log: list[dict[str, Any]],
    limit: int,
    window: float,
    *,
    key: str | None = "chat_id",
    tolerance: float = 0.0,
) -> list[dict[str, Any]]:
    """Entries of the log that came as more than `limit` accepted messages within `window` seconds (monotonic,
    sliding).

    Counts accepted sending calls, an album as as many as it has items; `key` groups them (None: all together,
    for the limit of a bot). `tolerance` seconds are taken off the window for the network's jitter. Empty
    means: the pace was kept.
    """
    kept: dict[Any, list[float]] = {}
    violations = []
    span = window - tolerance
    for entry in log:
        cost = entry.get("cost", 0)
        if entry.get("outcome") != "accepted" or not cost:
            continue
        times = kept.setdefault(entry.get(key) if key else None, [])
        times.extend([entry["monotonic"]] * cost)
        if sum(entry["monotonic"] - moment < span for moment in times[-(limit + cost) :]) > limit:
            violations.append(entry)
    return violations
