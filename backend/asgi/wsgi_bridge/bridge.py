"""The bridge: one request is one call of Flask in a thread, which it has only while something is computed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from backend.asgi.limits.admission import in_lane
from backend.asgi.limits.request_queue import RequestQueue, caller_of
from backend.asgi.request_bodies import Bodies, Body, Gone, TooSlow, announces, declared, has_body
from backend.asgi.responses import Receive, RequestTimeout, Scope, Send, refuse
from backend.asgi.wsgi_bridge.threads import complete
from backend.asgi.wsgi_bridge.wsgi import Application, WsgiCall, environ_of
from backend.core.errors import AppError
from backend.core.logging import get_logger

log = get_logger(__name__)

STALLED: Final = 60.0
"""Seconds that a client may take for one piece of a long answer."""
SMALL: Final = 64 * 1024
"""Bytes that the body of any request may have."""
ANYBODY: Final = "anybody"
"""The sender of all bodies for which no credentials are needed."""


@dataclass(frozen=True, slots=True)
class BodyRule:
    """What holds for the body of a request: its largest size in bytes, and who may send it."""

    most: int
    verify: Callable[[], bool] | None = None
    """Asked in a thread before a body is read that is not there at once; None where anybody may send one."""


class BodyRules(Protocol):
    """Finds the rule for a request."""

    def __call__(self, scope: Scope) -> BodyRule:
        """The rule for the body of this request."""
        ...


class Bridge:
    """Serves a WSGI application: `queue` for requests in general, `lane` for those that are served in any case."""

    def __init__(
        self, application: Application, queue: RequestQueue, lane: RequestQueue, bodies: Bodies, rules: BodyRules
    ) -> None:
        self._application = application
        self._queue = queue
        self._lane = lane
        self._bodies = bodies
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        path = scope["path"]
        queue, caller = (self._lane, path) if in_lane(path) else (self._queue, caller_of(scope))
        close = False
        length: int | None = None
        if not has_body(scope):
            body = Body()
        else:
            try:
                body = await self._read(scope, receive, lambda function: queue.run(caller, function))
            except Gone:
                return
            except TooSlow:
                await refuse(send, RequestTimeout(), close=True)
                return
            except AppError as error:
                await refuse(send, error, close=True)
                return
            length = body.size if body.whole else max(body.size, declared(scope) or 0)
            close = not body.whole
        try:
            exchange = WsgiCall(self._application, environ_of(scope, body.file, length))
            await self._exchange(exchange, queue, caller, receive, send, close)
        finally:
            body.release()

    async def _exchange(
        self, exchange: WsgiCall, queue: RequestQueue, caller: object, receive: Receive, send: Send, close: bool
    ) -> None:
        try:
            status, headers, piece, whole = await queue.run(caller, exchange.begin)
        except AppError as error:
            await refuse(send, error, close=True)
            return
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
            await self._stream(queue, exchange, piece, receive, send)

    async def _read(
        self, scope: Scope, receive: Receive, in_thread: Callable[[Callable[[], bool]], Awaitable[bool]]
    ) -> Body:
        """The body. One that is over the bound is not kept: that it is too large is for the application to say, as it
        is for the application to refuse whoever may not send one."""
        announced = declared(scope)
        # Nearly every body is small and there at once: what holds for it does not depend on its view.
        rule = self._rules(scope) if announced is None or announced > SMALL else None
        most = SMALL if rule is None else rule.most
        if announced is not None and announced > most:
            if not announces(scope):
                await self._bodies.discard(receive)
            body = Body()
            body.whole = False
            return body

        async def admit() -> object | None:
            verify = (rule or self._rules(scope)).verify
            if verify is None:
                return ANYBODY
            return caller_of(scope) if await in_thread(verify) else None

        return await self._bodies.read(receive, most, admit, ask_first=announces(scope))

    async def _stream(
        self, queue: RequestQueue, exchange: WsgiCall, piece: bytes, receive: Receive, send: Send
    ) -> None:
        """Sends piece by piece, each as soon as it is there, until the end or until the client is gone."""
        disconnected = asyncio.ensure_future(_until_gone(receive))
        try:
            following: bytes | None = piece
            while following is not None and not disconnected.done():
                async with asyncio.timeout(STALLED):
                    await send({"type": "http.response.body", "body": following, "more_body": True})
                following = await complete(queue.threads.run(exchange.more))
            if following is None:
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.info("client_stalled")
        finally:
            disconnected.cancel()
            await complete(queue.threads.run(exchange.close))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
