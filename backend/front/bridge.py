"""The bridge: one request is one call of Flask in a thread, which it has only while something is computed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Final

from backend.core import storage
from backend.core.errors import AppError
from backend.core.logging import get_logger
from backend.front.answers import Receive, RequestTimeout, Scope, Send, refuse
from backend.front.bodies import Bodies, Body, Gone, TooSlow, declared, has_body
from backend.front.threads import Threads, complete
from backend.front.wsgi import Application, Exchange, environ_of

log = get_logger(__name__)

STALLED: Final = 60.0
"""Seconds that a client may take for one piece of a long answer."""


class Bridge:
    """Serves a WSGI application. `bound(method, path)` says how large a body may be, in bytes, above `usual`."""

    def __init__(
        self,
        application: Application,
        threads: Threads,
        bodies: Bodies,
        *,
        usual: int,
        bound: Callable[[str, str], int],
    ) -> None:
        self._application = application
        self._threads = threads
        self._bodies = bodies
        self._usual = usual
        self._bound = bound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        close = False
        length: int | None = None
        if not has_body(scope):
            body = Body(BytesIO(), 0, True)
        else:
            try:
                body = await self._read(scope, receive)
            except Gone:
                return
            except TooSlow:
                await refuse(send, RequestTimeout(), close=True)
                return
            except OSError as error:
                # No room for the body's temporary file, or no file handle left.
                log.error("body_not_kept", errno=error.errno)
                await refuse(send, storage.storage_fault(error), close=True)
                return
            length = body.size if body.whole else max(body.size, declared(scope) or 0)
            close = not body.whole
        await self._exchange(Exchange(self._application, environ_of(scope, body.file, length)), receive, send, close)

    async def _read(self, scope: Scope, receive: Receive) -> Body:
        """The body. One that is over the bound is not kept: that it is too large is for the application to say."""
        announced = declared(scope)
        most = self._usual
        if announced is None or announced > most:
            most = max(most, self._bound(scope["method"], scope["path"]))
        if announced is not None and announced > most:
            await self._bodies.discard(receive)
            return Body(BytesIO(), 0, False)
        return await self._bodies.read(receive, most)

    async def _exchange(self, exchange: Exchange, receive: Receive, send: Send, close: bool) -> None:
        try:
            status, headers, piece, whole = await complete(self._threads.run(exchange.begin))
        except Exception as error:
            # Flask answers for its own errors; what comes here is a defect around it.
            log.exception("bridge_defect", error=type(error).__name__)
            await refuse(send, AppError(), close=True)
            return
        if close:
            headers = [*headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if whole:
            await send({"type": "http.response.body", "body": piece})
        else:
            await self._stream(exchange, piece, receive, send)

    async def _stream(self, exchange: Exchange, piece: bytes, receive: Receive, send: Send) -> None:
        """Sends piece by piece, each as soon as it is there, until the end or until the client is gone."""
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            following: bytes | None = piece
            while following is not None and not gone.done():
                async with asyncio.timeout(STALLED):
                    await send({"type": "http.response.body", "body": following, "more_body": True})
                following = await complete(self._threads.run(exchange.more))
            if following is None:
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.info("client_stalled")
        finally:
            gone.cancel()
            await complete(self._threads.run(exchange.close))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
