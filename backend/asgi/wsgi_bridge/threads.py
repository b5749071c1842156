"""Threads for what blocks: Flask, the database. The event loop hands over and goes on."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

_Task = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]


class Threads:
    """A fixed number of threads; what is handed over waits in order for one of them.

    The thread that came free last gets the next task: what it needs is still in the processor's caches, and threads
    beyond those that the load needs touch no memory. Leaner than an executor: a request passes here once or twice, and
    the difference is a tenth of what it costs.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[_Task] = deque()
        self._idle: list[SimpleQueue[_Task]] = []
        """The inboxes of threads without a task, the one that came free last at the end."""
        for number in range(count):
            threading.Thread(target=self._run, name=f"web-{number}", daemon=True).start()

    def run(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Calls the function in a thread; the future has what it returns or raises."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        task = (future, function, arguments)
        with self._lock:
            if not self._idle:
                self._waiting.append(task)
                return future
            inbox = self._idle.pop()
        inbox.put(task)
        return future

    def _run(self) -> None:
        inbox: SimpleQueue[_Task] = SimpleQueue()
        while True:
            future, function, arguments = self._next(inbox)
            result: Any = None
            failure: BaseException | None = None
            try:
                result = function(*arguments)
            except BaseException as error:  # noqa: BLE001 - it is the caller's, who waits for it
                failure = error
            try:
                future.get_loop().call_soon_threadsafe(_settle, future, result, failure)
            except RuntimeError:
                # The loop is closed: the process is about to end, and nobody waits any more.
                return
            del future, function, arguments, result, failure

    def _next(self, inbox: SimpleQueue[_Task]) -> _Task:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(inbox)
        return inbox.get()


async def complete(future: asyncio.Future[Any]) -> Any:
    """Waits for what a thread does, also when cancelled: a step that has begun cannot be taken back."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait({future})
        raise


def _settle(future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if future.cancelled():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
