"""Request bodies: read whole before a thread is given to the request, bounded in size and time.

Somebody who sends half of a body and stops therefore holds a few kilobytes and no thread.
"""

from __future__ import annotations

import asyncio
import tempfile
from io import BytesIO
from typing import IO, Final

from backend.front.answers import Receive, Scope, header

IN_MEMORY: Final = 1024 * 1024
"""Bytes; larger bodies go to a file."""
SECONDS: Final = 20.0
"""A body has this long, and a second more for each `BYTES_A_SECOND` of it that came."""
BYTES_A_SECOND: Final = 32 * 1024
DISCARDED: Final = 8 * 1024 * 1024
"""Bytes that are still read of a body that is not wanted. A client whose unread bytes are thrown away with the
connection would never see the answer."""


class TooSlow(Exception):
    """The body did not come in time."""


class Gone(Exception):
    """The client went away."""


class Body:
    """What was read. `size` counts the bytes in `file`; `whole` is False for a body over the bound."""

    __slots__ = ("file", "size", "whole")

    def __init__(self, file: IO[bytes], size: int, whole: bool) -> None:
        self.file = file
        self.size = size
        self.whole = whole


class Bodies:
    """Reads bodies, and ends the waiting for them when the process is to stop."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._waiting: set[asyncio.Timeout] = set()

    def hurry(self, seconds: float) -> None:
        """Those that are still being read get only this much longer."""
        latest = asyncio.get_running_loop().time() + seconds
        for timeout in self._waiting:
            when = timeout.when()
            if when is None or when > latest:
                timeout.reschedule(latest)
        self._seconds = min(self._seconds, seconds)

    async def read(self, receive: Receive, most: int) -> Body:
        """Reads up to `most` bytes, and of a larger body one more; the rest is discarded. Raises TooSlow and Gone."""
        started = asyncio.get_running_loop().time()
        file: IO[bytes] = BytesIO()
        size = 0
        try:
            async with asyncio.timeout_at(started + self._seconds) as timeout:
                self._waiting.add(timeout)
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    piece = message.get("body", b"")
                    if size + len(piece) > most:
                        file.write(piece[: most + 1 - size])
                        file.seek(0)
                        ended = not message.get("more_body", False)
                        break
                    size += len(piece)
                    if size > IN_MEMORY and isinstance(file, BytesIO):
                        file = _to_disk(file)
                    file.write(piece)
                    if not message.get("more_body", False):
                        file.seek(0)
                        return Body(file, size, True)
                    timeout.reschedule(started + self._seconds + size / BYTES_A_SECOND)
        except TimeoutError:
            file.close()
            raise TooSlow from None
        except BaseException:
            file.close()
            raise
        finally:
            self._waiting.discard(timeout)
        if not ended:
            await self.discard(receive)
        return Body(file, most + 1, False)

    async def discard(self, receive: Receive) -> None:
        """Reads on and forgets, up to `DISCARDED` bytes and for a few seconds."""
        left = DISCARDED
        try:
            async with asyncio.timeout(min(5.0, self._seconds)) as timeout:
                self._waiting.add(timeout)
                while left > 0:
                    message = await receive()
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return
        finally:
            self._waiting.discard(timeout)


def declared(scope: Scope) -> int | None:
    """What Content-Length says; None without one (the server has refused malformed ones)."""
    value = header(scope, b"content-length")
    return int(value) if value is not None and value.isdigit() else None


def has_body(scope: Scope) -> bool:
    """Whether a body is announced at all."""
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _to_disk(file: BytesIO) -> IO[bytes]:
    larger = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever read it
    larger.write(file.getvalue())
    return larger
