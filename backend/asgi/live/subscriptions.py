"""The subscription of one connection: its topics, and the batches that wait to be sent."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from backend.services.auth.actor import Actor
from backend.services.live.cursors import Snapshot
from backend.services.live.queries import Change

MAX_WAITING: Final = 64
"""Batches that may wait for one connection; one that is further behind is dropped, and resumes."""
MAX_BYTES: Final = 512 * 1024

Kind = Literal["ready", "change", "reset", "alive", "bye"]


@dataclass(frozen=True)
class Batch:
    """What is sent in one go. The cursor goes with its last word, so that half of a batch is heard again."""

    kind: Kind
    cursor: str | None
    changes: Sequence[Change] = ()
    reason: str | None = None

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return len(self.text)

    @cached_property
    def text(self) -> str:
        """As one JSON document, made once for all connections that get it."""
        parts = [f'"type":"{self.kind}"']
        if self.kind == "change":
            parts.append(f'"changes":[{",".join(change.json for change in self.changes)}]')
        if self.reason is not None:
            parts.append(f'"reason":{json.dumps(self.reason)}')
        if self.cursor is not None:
            parts.append(f'"id":"{self.cursor}"')
        return "{" + ",".join(parts) + "}"

    @cached_property
    def sse(self) -> bytes:
        """As a server-sent event. What only says that we are alive moves the client's last id and fires nothing."""
        head = f"id: {self.cursor}\n" if self.cursor is not None else ""
        if self.kind == "alive":
            return f"{head}: alive\n\n".encode()
        name = "" if self.kind == "change" else f"event: {self.kind}\n"
        return f"{name}{head}data: {self.text}\n\n".encode()


@dataclass(eq=False)
class Subscription:
    """A live connection. Used on the event loop only."""

    actor: Actor
    topics: frozenset[str]
    """Empty: all of them."""
    since: Snapshot | None
    """What the client has heard of already; None for one that begins now."""
    lost: bool = False
    """The client came back with something that is no cursor: it has to read everything again."""
    ready: bool = False
    ending: str | None = None
    """Why the connection is about to end; nothing more is handed to it."""
    waiting: deque[Batch] = field(default_factory=deque)
    _bytes: int = 0
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def hears(self, change: Change) -> bool:
        """Whether this connection receives a change."""
        return (
            change.workspace_id == self.actor.workspace_id
            and (change.only_for is None or change.only_for == self.actor.user_id)
            and (not self.topics or change.topic in self.topics)
        )

    def put(self, batch: Batch) -> None:
        """Hands over a batch; a connection that does not take what waits for it is ended (`too_slow`)."""
        if self.ending is not None:
            return
        self.waiting.append(batch)
        self._bytes += batch.size
        if len(self.waiting) > MAX_WAITING or self._bytes > MAX_BYTES:
            self.end("too_slow")
        self._woken.set()

    def end(self, reason: str) -> None:
        """Ends the connection; what still waits is heard after the next connect."""
        if self.ending is None:
            self.ending = reason
            self.waiting.clear()
        self._woken.set()

    async def next(self, seconds: float) -> Batch | None:
        """The next batch; None when nothing came in this time, or when the connection is to end."""
        if not self.waiting and self.ending is None:
            self._woken.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            except TimeoutError:
                if not self.waiting:
                    return None
        if self.ending is not None or not self.waiting:
            return None
        batch = self.waiting.popleft()
        self._bytes -= batch.size
        return batch
