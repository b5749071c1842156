"""The two kinds of live connections, server-sent events and WebSocket, with the same content."""

from __future__ import annotations

from typing import Any, Final, Protocol

from backend.asgi.live.subscriptions import Batch
from backend.asgi.responses import PROTECTION, Headers, Receive, Send, error_body, refuse
from backend.core.errors import AppError

RETRY_MILLISECONDS: Final = 2000
_RETRY: Final = b"retry: %d\n" % RETRY_MILLISECONDS
_CLOSE: Final = {
    "server_stopping": 1001,
    "too_slow": 1013,
    "signed_out": 4401,
    "token_expired": 4401,
    "forbidden": 4403,
}


class LiveConnection(Protocol):
    """A connection to a client."""

    async def open(self) -> None:
        """Says that it is open; the first bytes go out at once."""

    async def refuse(self, error: AppError) -> None:
        """Answers with an error instead of opening."""

    async def write(self, batch: Batch) -> None:
        """Sends a batch; waits while the client is slow to read."""

    async def close(self, reason: str) -> None:
        """Sends the reason and closes the connection."""

    async def until_gone(self) -> None:
        """Returns when the client has gone."""

    def abort(self) -> None:
        """Breaks the connection; what was not sent is thrown away."""


class EventStream:
    """Server-sent events over an HTTP answer that does not end."""

    def __init__(self, receive: Receive, send: Send, headers: Headers) -> None:
        self._receive = receive
        self._send = send
        self._headers = headers
        self._retry = _RETRY

    async def open(self) -> None:
        """Headers, and a first line: routers give up on an answer that does not begin."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"x-accel-buffering", b"no"),
            *PROTECTION,
            *self._headers,
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._body(_RETRY + b": open\n\n")

    async def refuse(self, error: AppError) -> None:
        """An ordinary error answer."""
        await refuse(self._send, error)

    async def write(self, batch: Batch) -> None:
        """One event. The first one says again how long to wait: some clients keep it only from a block with data."""
        retry, self._retry = self._retry, b""
        await self._body(retry + batch.sse)

    async def close(self, reason: str) -> None:
        """The event `bye`, and the end of the answer."""
        await self._send({"type": "http.response.body", "body": Batch("bye", None, reason=reason).sse})

    async def until_gone(self) -> None:
        """A request that is done sending says nothing more until it disconnects."""
        while (await self._receive())["type"] != "http.disconnect":
            continue

    def abort(self) -> None:
        """Breaks the connection."""
        _abort(self._send)

    async def _body(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})


class WebSocketConnection:
    """A WebSocket; messages from the client are ignored."""

    def __init__(self, receive: Receive, send: Send, extensions: dict[str, Any]) -> None:
        self._receive = receive
        self._send = send
        self._extensions = extensions

    async def open(self) -> None:
        """Accepts the handshake."""
        await self._send({"type": "websocket.accept"})

    async def refuse(self, error: AppError) -> None:
        """An error answer to the handshake; 403 from a server that cannot do better."""
        if "websocket.http.response" not in self._extensions:
            await self._send({"type": "websocket.close", "code": 4401, "reason": error.code})
            return
        status, headers, body = error_body(error)
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await self._send({"type": "websocket.http.response.body", "body": body})

    async def write(self, batch: Batch) -> None:
        """One message."""
        await self._send({"type": "websocket.send", "text": batch.text})

    async def close(self, reason: str) -> None:
        """The message `bye`, and a close with its code."""
        await self.write(Batch("bye", None, reason=reason))
        await self._send({"type": "websocket.close", "code": _CLOSE.get(reason, 1000), "reason": reason})

    async def until_gone(self) -> None:
        """Reads and ignores messages until the client disconnects."""
        while (await self._receive())["type"] != "websocket.disconnect":
            continue

    def abort(self) -> None:
        """Breaks the connection."""
        _abort(self._send)


def _abort(send: Send) -> None:
    # ASGI has no word for it, and a server that only closes waits for a client that does not read. uvicorn's `send` is
    # a method of what holds the transport, in all of its protocols.
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
