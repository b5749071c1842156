"""Requests that ask for another protocol: read like any other, with their bodies, unless it is a websocket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from backend.asgi.limits.admission import Admission
from tests.support.serving import hear, say, serving

OTHERS = (b"h2c", b"TLS/1.0", b"websocket", b"h2c, websocket", b"")
INNER = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Application:
    """Answers every request, and notes its path and body."""

    def __init__(self) -> None:
        self.admission = Admission(100)
        self.served: list[tuple[str, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.served.append((scope["path"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def port(application: Application) -> Iterator[int]:
    with serving(application) as found:
        yield found


def head(upgrade: bytes, framing: bytes, method: bytes = b"POST") -> bytes:
    lines = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: AAMA\r\n" % upgrade
    return b"%b /outer HTTP/1.1\r\n%b%b\r\n" % (method, lines, framing)


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def statuses(heard: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+)", heard)]


@pytest.mark.parametrize("upgrade", OTHERS)
@pytest.mark.parametrize("method", [b"POST", b"GET", b"PUT"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_body_is_never_the_next_request(
    application: Application, port: int, upgrade: bytes, method: bytes, pieces: int
) -> None:
    for framing, body in (
        (b"Content-Length: %d\r\n" % len(INNER), INNER),
        (b"Transfer-Encoding: chunked\r\n", chunked(INNER)),
    ):
        application.served.clear()
        whole = head(upgrade, framing, method) + body + LAST
        cut = len(head(upgrade, framing, method)) if pieces == 2 else len(whole)
        connection = say(port, whole[:cut])
        if whole[cut:]:
            connection.sendall(whole[cut:])
        assert statuses(hear(connection)) == [200, 200]
        assert application.served == [("/outer", INNER), ("/last", b"")]


def test_what_stands_behind_a_request_without_a_body_is_the_next_request(application: Application, port: int) -> None:
    connection = say(port, head(b"h2c", b"", b"GET") + LAST[:20])
    connection.sendall(LAST[20:])
    assert statuses(hear(connection)) == [200, 200]
    assert [path for path, _ in application.served] == ["/outer", "/last"]


def test_a_body_that_comes_byte_by_byte_is_whole(application: Application, port: int) -> None:
    connection = say(port, b"")
    for byte in head(b"h2c", b"Content-Length: 3\r\n") + b"abc" + LAST:
        connection.sendall(bytes([byte]))
    assert statuses(hear(connection)) == [200, 200]
    assert application.served[0] == ("/outer", b"abc")


def test_its_head_is_bounded_like_any_other(application: Application, port: int) -> None:
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(97))
    connection = say(port, head(b"h2c", lines + b"Content-Length: 3\r\n") + b"abc")
    assert statuses(hear(connection)) == [431]
    assert application.served == []


@pytest.mark.parametrize("target", [b"x.example:443", b"/outer", b"http://x/"])
def test_a_tunnel_is_refused_in_words(application: Application, port: int, target: bytes) -> None:
    heard = hear(say(port, b"CONNECT %b HTTP/1.1\r\nHost: x\r\n\r\n" % target + INNER))
    assert statuses(heard) == [405]
    assert b"method_not_allowed" in heard
    assert application.served == []
