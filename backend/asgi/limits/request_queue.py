"""Requests waiting for a thread: few enough to be answered in time, and no caller's can take all threads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from backend.asgi.limits.admission import too_busy
from backend.asgi.responses import Scope, header
from backend.asgi.wsgi_bridge.threads import Threads, complete

_WAITING_A_THREAD: Final = 32


class RequestQueue:
    """Runs functions in threads, each for a caller, who gets at most three quarters of the threads at a time."""

    def __init__(self, count: int, *, most: int | None = None) -> None:
        self.threads = Threads(count)
        self._share = max(1, count * 3 // 4)
        self._most = most if most is not None else count + count * _WAITING_A_THREAD
        self._pending = 0
        self._running: dict[object, int] = {}
        self._parked: dict[object, deque[asyncio.Future[None]]] = {}

    async def run(self, caller: object, function: Callable[..., Any], *arguments: Any) -> Any:
        """Runs the function and returns or raises what it does.

        Raises Unavailable (`too_busy`) when too much is waiting already, of this caller or altogether.
        """
        turn = self._enter(caller)
        try:
            if turn is not None:
                await turn
        except asyncio.CancelledError:
            if turn is not None and (turn.cancelled() or not turn.done()):
                self._pending -= 1
                self._forget(caller, turn)
            else:
                self._leave(caller)
            raise
        try:
            return await complete(self.threads.run(function, *arguments))
        finally:
            self._leave(caller)

    def _enter(self, caller: object) -> asyncio.Future[None] | None:
        """Queues the caller and returns its future; None where the caller may run at once."""
        if self._pending >= self._most:
            raise too_busy()
        running = self._running.get(caller, 0)
        if running < self._share:
            self._running[caller] = running + 1
            self._pending += 1
            return None
        parked = self._parked.setdefault(caller, deque())
        if len(parked) >= self._most // 2:
            raise too_busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        parked.append(turn)
        self._pending += 1
        return turn

    def _leave(self, caller: object) -> None:
        self._pending -= 1
        parked = self._parked.get(caller)
        if parked:
            parked.popleft().set_result(None)  # cancelled ones were taken out
            if not parked:
                del self._parked[caller]
        elif self._running[caller] == 1:
            del self._running[caller]
        else:
            self._running[caller] -= 1

    def _forget(self, caller: object, turn: asyncio.Future[None]) -> None:
        parked = self._parked.get(caller)
        if parked is not None and turn in parked:
            parked.remove(turn)
            if not parked:
                del self._parked[caller]


def caller_of(scope: Scope) -> object:
    """The key of a request's caller before authentication: the credentials as given, else the address."""
    credentials = header(scope, b"authorization") or header(scope, b"cookie")
    if credentials is not None:
        return hash(credentials)  # not the secret itself
    client = scope.get("client")
    return client[0] if client else None
