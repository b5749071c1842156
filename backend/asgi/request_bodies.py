"""Request bodies: read whole before a thread is given to the request, bounded in size and time.

Somebody who sends half of a body and stops therefore holds a few kilobytes and no thread. A body that is not there at
once is read on only after its sender was asked for credentials, and within what all bodies under way may hold.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import IO, Final

from backend.asgi.limits import body_budget
from backend.asgi.limits.admission import too_busy
from backend.asgi.limits.body_budget import Budget
from backend.asgi.responses import Receive, Scope, header
from backend.core import storage
from backend.core.errors import AppError
from backend.core.logging import get_logger

log = get_logger(__name__)

IN_MEMORY: Final = 1024 * 1024
"""Bytes; larger bodies go to a file."""
SECONDS: Final = 20.0
"""A body has this long, and a second more for each `BYTES_A_SECOND` of it that came."""
BYTES_A_SECOND: Final = 32 * 1024
DISCARDED: Final = 8 * 1024 * 1024
"""Bytes that are still read of a body that is not wanted. A client whose unread bytes are thrown away with the
connection would never see the answer."""

Admit = Callable[[], Awaitable[object | None]]
"""Who sends a body, for what they may hold at a time; None where the body is not to be read. May raise AppError."""


class TooSlow(Exception):
    """The body did not come in time."""


class Gone(Exception):
    """The client went away."""


class Body:
    """What was read. `size` counts the bytes in `file`; `whole` is False for a body over the bound or not wanted."""

    __slots__ = ("_budget", "_budgets", "_held", "_sender", "file", "more", "size", "whole")

    def __init__(self) -> None:
        self.file: IO[bytes] = BytesIO()
        self.size = 0
        self.whole = True
        self.more = True
        """Whether more of it may come."""
        self._sender: object = None
        self._budgets: tuple[Budget, Budget] | None = None
        self._budget: Budget | None = None
        self._held = 0

    def account(self, memory: Budget, disk: Budget, sender: object) -> None:
        """Counts what is held for this sender from now on. Raises Unavailable where that is too much."""
        self._budgets, self._sender = (memory, disk), sender
        self._hold(self.size)

    def add(self, piece: bytes, most: int) -> None:
        """Adds a piece; of a body over `most` bytes only one more than that. Raises Unavailable and OSError."""
        if self.size + len(piece) > most:
            piece, self.whole = piece[: most + 1 - self.size], False
        self._hold(self.size + len(piece))
        self.file.write(piece)
        self.size += len(piece)

    def release(self) -> None:
        """Closes the file, and gives back what was held. Harmless when repeated."""
        self.file.close()
        if self._budget is not None:
            self._budget.give_back(self._sender, self._held)
            self._budget, self._held = None, 0

    def _hold(self, size: int) -> None:
        if self._budgets is None:
            return
        memory, disk = self._budgets
        if size > IN_MEMORY and isinstance(self.file, BytesIO):
            if not disk.take(self._sender, size):
                raise too_busy()
            held, budget, self._held, self._budget = self._held, self._budget, size, disk
            if budget is not None:
                budget.give_back(self._sender, held)
            larger = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `release`
            larger.write(self.file.getvalue())
            self.file = larger
            return
        budget = self._budget or memory
        if not budget.take(self._sender, size - self._held):
            raise too_busy()
        self._budget, self._held = budget, size


class Bodies:
    """Reads bodies, and ends the waiting for them when the process is to stop."""

    def __init__(self, seconds: float = SECONDS, *, memory: Budget | None = None, disk: Budget | None = None) -> None:
        self._seconds = seconds
        self._waiting: set[asyncio.Timeout] = set()
        self.memory = memory or body_budget.in_memory()
        self.disk = disk or body_budget.on_disk()

    def shorten_waits(self, seconds: float) -> None:
        """Leaves at most `seconds` to the bodies that are still being read."""
        latest = asyncio.get_running_loop().time() + seconds
        for timeout in self._waiting:
            when = timeout.when()
            if when is None or when > latest:
                timeout.reschedule(latest)
        self._seconds = min(self._seconds, seconds)

    async def read(self, receive: Receive, most: int, admit: Admit, *, ask_first: bool = False) -> Body:
        """Reads up to `most` bytes, and of a larger body one more; the rest is discarded.

        `admit` is asked when the body is not there whole at once, or before anything with `ask_first`; then nothing of
        a body that is not wanted is read. Raises TooSlow and Gone, what `admit` raises, and Unavailable when as much as
        may be is held already or the disk is full.
        """
        body = Body()
        try:
            await self._read(body, receive, most, admit, ask_first)
            body.file.seek(0)
        except BaseException as error:
            body.release()
            if isinstance(error, AppError) and body.more and not ask_first:
                await self.discard(receive)
            raise
        if not body.whole and body.more and not (ask_first and body.size == 0):
            await self.discard(receive)
        return body

    async def _read(self, body: Body, receive: Receive, most: int, admit: Admit, ask_first: bool) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout_at(began + self._seconds) as timeout:
                self._waiting.add(timeout)
                try:
                    if not ask_first:
                        await _read_piece(body, receive, most)
                    if body.more and body.whole:
                        timeout.reschedule(None)  # who waits for us is not late
                        paused = loop.time()
                        sender = await admit()
                        if sender is None:
                            body.whole = False
                            return
                        began += loop.time() - paused
                        body.account(self.memory, self.disk, sender)
                    while body.more and body.whole:
                        timeout.reschedule(began + self._seconds + body.size / BYTES_A_SECOND)
                        await _read_piece(body, receive, most)
                finally:
                    self._waiting.discard(timeout)
        except TimeoutError:
            raise TooSlow from None
        except OSError as error:
            log.error("body_not_written", error=type(error).__name__, errno=error.errno)
            raise storage.storage_fault(error) from None

    async def discard(self, receive: Receive) -> bool:
        """Reads on and forgets, up to `DISCARDED` bytes and for a few seconds; whether the body ended."""
        left = DISCARDED
        try:
            async with asyncio.timeout(min(5.0, self._seconds)) as timeout:
                self._waiting.add(timeout)
                try:
                    while left > 0:
                        message = await receive()
                        if message["type"] == "http.disconnect" or not message.get("more_body", False):
                            return True
                        left -= len(message.get("body", b""))
                finally:
                    self._waiting.discard(timeout)
        except TimeoutError:
            pass
        return False


async def _read_piece(body: Body, receive: Receive, most: int) -> None:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    body.more = message.get("more_body", False)
    body.add(message.get("body", b""), most)


def declared(scope: Scope) -> int | None:
    """What Content-Length says; None without one (the server has refused malformed ones)."""
    value = header(scope, b"content-length")
    return int(value) if value is not None and value.isdigit() else None


def has_body(scope: Scope) -> bool:
    """Whether a body is announced at all."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def announces(scope: Scope) -> bool:
    """Whether the client asks before it sends its body (`Expect: 100-continue`)."""
    return header(scope, b"expect") is not None
