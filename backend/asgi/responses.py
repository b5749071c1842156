"""Answers that the front gives itself, in the same shape as the API's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from backend.core.errors import AppError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PROTECTION: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]


class RequestTimeout(AppError):
    """408: the request did not arrive in time."""

    status = 408
    code = "request_timeout"
    message = "The request took too long to arrive."


def error_body(error: AppError) -> tuple[int, Headers, bytes]:
    """Status, headers and body for an error, in the one shape."""
    headers = [(b"content-type", b"application/json"), *PROTECTION]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return error.status, headers, json.dumps(error.to_json()).encode()


async def answer(send: Send, status: int, headers: Headers, body: bytes, *, close: bool = False) -> None:
    """Sends a whole answer; `close` ends the connection after it."""
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, error: AppError, *, close: bool = False) -> None:
    """Sends an error."""
    await answer(send, *error_body(error), close=close)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this name (in lower case)."""
    for header_name, value in scope["headers"]:
        if header_name == name:
            return bytes(value)
    return None
