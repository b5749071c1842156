"""What the phone page is told live. Costs nothing while no page is open."""

from __future__ import annotations

import asyncio
from typing import Any

MAX_WAITING = 1000


class Broadcast:
    """Hands each event to every open page. A page too slow to read is told to load everything again."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def publish(self, event: dict[str, Any]) -> None:
        """Tell all pages; never waits."""
        for queue in self._listeners:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait({"type": "reload"})
            else:
                queue.put_nowait(event)

    def subscribe(self) -> asyncio.Queue[dict[str, Any] | None]:
        """A queue of events from now on; None in it means that the simulator is ending."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(MAX_WAITING)
        self._listeners.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[dict[str, Any] | None]) -> None:
        """The page is gone."""
        self._listeners.discard(queue)

    def close(self) -> None:
        """End every subscription."""
        for queue in self._listeners:
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)
