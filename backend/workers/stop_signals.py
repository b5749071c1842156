"""SIGTERM and SIGINT, handled in a thread of their own.

A Python signal handler runs in the middle of whatever the main thread does, and to set an event there can wait for the
very lock that the interrupted code holds. So the signals are blocked in every thread and one thread waits for them:
what it calls is called as by any other thread.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """The first signal ends the process, in good order once `call_on_stop` was called; later ones are ignored."""

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def listen(self) -> None:
        """Begins to listen. To be called in the main thread before any other thread is started."""
        for number in _NUMBERS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
        threading.Thread(target=self._hear, name="signals", daemon=True).start()

    def call_on_stop(self, stop: Callable[[], None]) -> None:
        """Sets the function that ends the process in good order; until then a signal ends it at once."""
        with self._lock:
            self._stop = stop

    def _hear(self) -> None:
        signal.sigwait(_NUMBERS)
        with self._lock:
            stop = self._stop
            if stop is None:
                os._exit(0)
        stop()
