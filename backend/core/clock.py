"""Business time: one aware UTC clock for due times, tokens, windows and schedules.

Every process reads the same offset from the file named by `TEST_CLOCK_FILE` (seconds, may be negative), so a
test can move a whole running installation through a week. SQL never calls `now()` for business time: it gets
`clock.now()` as a parameter. Leases and heartbeats do not use this clock; they live on the database's.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

from backend.core import config

_file: str | None = config.test_env("TEST_CLOCK_FILE")
_local_offset = 0.0
_seen: tuple[float, float, float] = (-1.0, -1.0, 0.0)
"""(monotonic time of the last look, modification time, offset in seconds) of the offset file."""


def now() -> datetime:
    """The current business time, aware, in UTC."""
    return datetime.now(UTC) + timedelta(seconds=_offset())


def unix() -> float:
    """The current business time as seconds since 1970."""
    return time.time() + _offset()


def move(seconds: float) -> None:
    """Moves this process's clock by `seconds`; for tests inside one process."""
    global _local_offset
    _local_offset += seconds


def reset() -> None:
    """Takes back every `move`."""
    global _local_offset
    _local_offset = 0.0


def _offset() -> float:
    return _local_offset + (_file_offset(_file) if _file else 0.0)


def _file_offset(path: str) -> float:
    global _seen
    looked, changed, offset = _seen
    moment = time.monotonic()
    if moment - looked < 0.05:
        return offset
    try:
        modified = os.stat(path).st_mtime_ns / 1e9
        if modified != changed:
            with open(path, encoding="ascii") as handle:
                offset = float(handle.read().strip() or 0.0)
            changed = modified
    except FileNotFoundError:
        changed, offset = -1.0, 0.0
    _seen = (moment, changed, offset)
    return offset
