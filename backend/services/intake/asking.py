"""Events for which a provider has to be asked first: processed in threads, so that nobody else waits for the answer."""

from __future__ import annotations

import threading
from typing import Final

from backend.core import queue
from backend.core.database import system_scope
from backend.core.thread_pools import BoundedPool
from backend.services.intake.claims import ClaimedEvent
from backend.services.intake.processor import process

_POOL: Final = BoundedPool("intake", 4)
_lock = threading.Lock()
_events: set[int] = set()
_ended = 0


def start(event: ClaimedEvent) -> bool:
    """Processes an event whose attempt was counted in a thread; False when as many as may are at it."""
    with _lock:
        _events.add(event.id)
    if _POOL.start(lambda: _run(event)):
        return True
    with _lock:
        _events.discard(event.id)
    return False


def events() -> frozenset[int]:
    """The events that are at it."""
    with _lock:
        return frozenset(_events)


def wait(seconds: float) -> int:
    """Waits for those that are at it, at most so long; returns how many events ended since the last call."""
    global _ended
    _POOL.wait(seconds)
    with _lock:
        ended, _ended = _ended, 0
    return ended


def _run(event: ClaimedEvent) -> None:
    global _ended
    try:
        with system_scope("events belong to senders; each handler enters its workspace"):
            done = process(event)
        with _lock:
            _ended += done
    finally:
        with _lock:
            _events.discard(event.id)
    # Those behind it in its conversation may go on.
    queue.wake_now("intake")
