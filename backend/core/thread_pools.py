"""Threads that wait for other people's servers, so that a job does not wait with them.

A job starts what is due, waits a moment for it, and returns; whatever takes longer goes on and records itself. A lane's
worker is so never held by a provider or a receiver that hangs. The threads of a pool are counted, each runs in an
application context of its own, and none keeps work in memory that is not in a row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy.exc import DBAPIError

from backend.core.logging import get_logger

log = get_logger(__name__)

_context: Callable[[], AbstractContextManager[Any]] | None = None


def provide(context: Callable[[], AbstractContextManager[Any]]) -> None:
    """Says how a thread gets its application context; called by the application when it is made."""
    global _context
    _context = context


class BoundedPool:
    """At most `size` threads at once. With `finishes` the process ends only after they have; else they end with it."""

    def __init__(self, name: str, size: int, *, finishes: bool = False) -> None:
        self._name = name
        self._size = size
        self._finishes = finishes
        self._lock = threading.Lock()
        self._at_work: set[threading.Thread] = set()

    def free(self) -> int:
        """How many more could begin now."""
        with self._lock:
            return self._size - len(self._at_work)

    def start(self, work: Callable[[], None]) -> bool:
        """Runs `work` in a thread, which ends with it; False when all are busy or none can be started.

        What it raises is logged.
        """
        with self._lock:
            if len(self._at_work) >= self._size:
                return False
            thread = threading.Thread(target=self._run, args=(work,), name=self._name, daemon=not self._finishes)
            try:
                thread.start()
            except RuntimeError as error:
                # The system gives no more threads: its place stays free, and the work is due as before.
                log.warning("no_thread", crew=self._name, error=str(error))
                return False
            self._at_work.add(thread)
        return True

    def wait(self, seconds: float) -> bool:
        """Waits until nobody is at work, for at most so long; whether that came."""
        deadline = time.monotonic() + seconds
        with self._lock:
            waited_for = list(self._at_work)
        for thread in waited_for:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in waited_for)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            if _context is None:
                raise RuntimeError("no application has been made")
            with _context():
                work()
        except DBAPIError as error:
            log.warning("database_away", error=type(error).__name__)
        except Exception as error:
            log.exception("crew_defect", crew=self._name, error=type(error).__name__)
        finally:
            with self._lock:
                self._at_work.discard(threading.current_thread())
