"""Stopping in order: first the streams end, then the server, which would wait for them otherwise."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Awaitable, Callable
from types import FrameType

from backend.workers import parent_watchdog

Handler = Callable[[int, FrameType | None], object]


class StopSignals:
    """Put in front of the server's own handlers once it runs: `before` is done first, then the server goes on."""

    def __init__(self, before: Callable[[], Awaitable[None]]) -> None:
        self._before = before
        self._loop = asyncio.get_running_loop()
        self._earlier: dict[int, Handler] = {}
        self._ending: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Takes SIGTERM and SIGINT over from a server that handles them; in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            earlier = signal.getsignal(number)
            if callable(earlier) and earlier is not signal.default_int_handler:
                self._earlier[number] = earlier
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end(number))
        elif self._ending.done() or number == signal.SIGINT:
            self._earlier[number](number, None)

    async def _end(self, number: int) -> None:
        try:
            await self._before()
        finally:
            self._earlier[number](number, None)


def tie_to_parent() -> None:
    """Has a server's worker process end with the process that started it, also when that is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        parent_watchdog.tie_to(parent.pid)
        parent_watchdog.watch(parent.pid)
