"""Whether files can be written where they are kept."""

from __future__ import annotations

import threading
import time
from typing import Final

from backend.services import files

KEPT_SECONDS: Final = 15.0
"""How long an answer is good: anybody may ask for readiness, and a store somewhere else is asked over the network."""

_lock = threading.Lock()
_kept: tuple[float, bool] | None = None


def takes_files() -> bool:
    """Whether a file could be written within the last seconds. Raises nothing.

    While one thread tries it, which may take some seconds, the others are told what was last known.
    """
    global _kept
    known = _kept
    if known is not None and time.monotonic() - known[0] < KEPT_SECONDS:
        return known[1]
    if not _lock.acquire(blocking=known is None):
        assert known is not None
        return known[1]
    try:
        _kept = (time.monotonic(), files.storage_of_instance().is_available())
        return _kept[1]
    finally:
        _lock.release()


def forget() -> None:
    """Has the next question tried again."""
    global _kept
    _kept = None
