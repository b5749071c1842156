"""What a stranger can have a connection hold: heads, trailers, pipelines, silence; and who is served meanwhile."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from backend.asgi.application import AsgiApplication
from backend.asgi.limits import head_limits
from backend.asgi.limits.admission import Admission
from backend.asgi.limits.request_queue import RequestQueue
from backend.asgi.request_bodies import Bodies
from backend.asgi.wsgi_bridge.bridge import Bridge
from tests.asgi.test_bridge import rule, told
from tests.support.serving import ask, dial, eventually, hear, say, serving

HOST = b"Host: x\r\n"


class Application:
    """The bridge over `told`, with admission control; a request for /wait waits until `go` is set."""

    def __init__(self, most: int = 1000, threads: int = 40) -> None:
        self.admission = Admission(most)
        self.go, self.waiting = threading.Event(), threading.Semaphore(0)
        self.served: list[str] = []
        self._bridge = Bridge(self._told, RequestQueue(threads), RequestQueue(2), Bodies(), rule)

    def _told(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.served.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/wait":
            self.waiting.release()
            assert self.go.wait(60)
        return told(environ, start_response)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._bridge(scope, receive, send)


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def port(application: Application) -> Iterator[int]:
    with serving(application) as found:
        yield found
        application.go.set()


def refusal(heard: bytes) -> tuple[int, str]:
    """Status and code of the last answer."""
    head, _, body = heard[heard.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    assert b"x-content-type-options: nosniff" in head
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "detail"}
    return int(head.split(b" ")[1]), error["code"]


def send_much(port: int, first: bytes, piece: bytes, most: int) -> tuple[bytes, int]:
    """Sends a head's beginning and then pieces without end until the server has had enough; what was heard, and how
    many bytes it took."""
    connection = say(port, first)
    sent = 0
    try:
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
            connection.settimeout(0.001)
            try:
                if connection.recv(1, socket.MSG_PEEK):
                    break
            except TimeoutError:
                pass
            finally:
                connection.settimeout(60)
    except ConnectionError:
        pass
    return hear(connection), sent


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"GET / HTTP/1.1\r\n", b"X-A: " + b"x" * 1000 + b"\r\n"),
        (b"GET / HTTP/1.1\r\nX-A: ", b"x" * 10_000),
        (b"GET / HTTP/1.1\r\n", b"A:\r\n" * 2000),
        (b"GET /", b"x" * 10_000),
        (b"GET / HTTP/1.1\r\n", b"X" * 10_000),
        (b"GET / HTTP/1.1\r\nX: 1\r\n", b" folded" * 1000),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n", b"Cookie: a=" + b"1" * 500 + b"\r\n"),
    ],
    ids=["many", "one", "tiny", "address", "name", "folded", "cookies"],
)
def test_a_head_without_end_is_refused_while_it_arrives(port: int, first: bytes, piece: bytes) -> None:
    heard, sent = send_much(port, first, piece, 20_000_000)
    assert sent < 5_000_000, "it did not take the whole"
    assert refusal(heard) in {(431, "headers_too_large"), (400, "malformed_request")}
    if piece[:2] != b" f" and not first.startswith(b"GET /x"):
        assert refusal(heard)[0] == 431 or b"folded" in piece


@pytest.mark.parametrize(
    ("count", "size", "status"), [(99, 10, 200), (100, 10, 431), (10, 6000, 200), (10, 6600, 431), (2000, 20, 431)]
)
def test_the_bounds_of_a_head_are_exact(port: int, count: int, size: int, status: int) -> None:
    lines = b"".join(b"X-%d: %b\r\n" % (number, b"x" * size) for number in range(count))
    heard = hear(say(port, b"GET / HTTP/1.1\r\nConnection: close\r\n" + lines[:0] + lines + b"\r\n"))
    assert int(heard.split(b" ")[1]) == status


def test_the_head_of_a_later_request_is_bounded_too(port: int) -> None:
    connection = say(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500)
    assert refusal(hear(connection)) == (431, "headers_too_large")


def test_trailers_are_no_headers_of_their_request_and_are_bounded(port: int) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    heard = hear(say(port, head, b"3\r\nabc\r\n0\r\n", b"Authorization: forged\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"))
    environ = json.loads(heard.partition(b"\r\n\r\n")[2])
    assert environ["body"] == "abc"
    assert "forged" not in json.dumps(environ)
    assert "6.6.6.6" not in json.dumps(environ)
    for piece in (b"A: b\r\n" * 100, b"x" * 10_000):
        heard, sent = send_much(port, head + b"3\r\nabc\r\n0\r\nX-A: 1\r\n", piece, 20_000_000)
        assert sent < 5_000_000
        assert refusal(heard) == (431, "headers_too_large")


def test_extensions_of_a_chunk_are_bounded(port: int) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    heard, sent = send_much(port, head + b"3;a=", b"x" * 10_000, 20_000_000)
    assert sent < 5_000_000
    assert refusal(heard) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nX\x00: 1\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\n\r\n",
        b"GET a:1 HTTP/1.1\r\n\r\n",
        b"GET ?a=1 HTTP/1.1\r\n\r\n",
        b"GET http://x HTTP/1.1\r\n\r\n",
        b"POST http://[/ HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    ],
)
def test_what_is_no_http_is_told_so_in_the_one_shape(port: int, sent: bytes) -> None:
    assert refusal(hear(say(port, sent))) == (400, "malformed_request")


def test_a_refusal_comes_after_the_answers_to_the_requests_before(application: Application, port: int) -> None:
    connection = say(
        port, b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET /2 HTTP/1.1\r\n\r\n" + b"nonsense\r\n\r\n"
    )
    assert application.waiting.acquire(timeout=60)
    application.go.set()
    heard = hear(connection)
    assert [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]] == [200, 200, 400]
    assert application.served == ["/wait", "/2"]


# --- pipelines ---


def test_twenty_requests_may_wait_behind_one(application: Application, port: int) -> None:
    many = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(20))
    connection = say(port, b"GET /wait HTTP/1.1\r\n\r\n" + many)
    assert application.waiting.acquire(timeout=60)
    application.go.set()
    heard = b""
    while heard.count(b"HTTP/1.1 200 OK") < 21:
        heard += connection.recv(65536)
    connection.close()
    assert application.served == ["/wait", *(f"/{number}" for number in range(20))]


@pytest.mark.parametrize(
    "request_",
    [b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"PUT /a HTTP/1.1\r\n\r\n"],
)
def test_more_are_not_even_read(application: Application, port: int, request_: bytes) -> None:
    connection = say(port, b"GET /wait HTTP/1.1\r\n\r\n" + request_ * 3000)
    assert application.waiting.acquire(timeout=60)
    application.go.set()
    heard = hear(connection)
    assert heard.count(b"HTTP/1.1 200 OK") == 21
    assert refusal(heard) == (503, "too_many_pipelined")
    assert len(application.served) == 21


# --- time ---


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_limits, "HEAD_SECONDS", 0.2)


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX-A: b\r\nX-"])
@pytest.mark.usefixtures("impatient")
def test_a_head_that_does_not_get_whole_is_408(application: Application, begun: bytes) -> None:
    with serving(application) as port:
        assert refusal(hear(say(port, begun))) == (408, "request_timeout")
        connection = say(port, b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        connection.sendall(begun)
        assert refusal(hear(connection)) == (408, "request_timeout")


@pytest.mark.parametrize("said", [b"", b"\r\n\r\n"])
@pytest.mark.usefixtures("impatient")
def test_a_silent_connection_is_closed_without_a_word(application: Application, said: bytes) -> None:
    with serving(application) as port:
        assert hear(say(port, said)) == b""
        if said:
            connection = say(port, b"GET / HTTP/1.1\r\n\r\n")
            heard = connection.recv(65536)
            assert heard.startswith(b"HTTP/1.1 200 ")
            connection.sendall(said)
            hear(connection)  # ends, though it said something


@pytest.mark.usefixtures("impatient")
def test_a_drip_of_a_head_gets_no_more_time(application: Application) -> None:
    with serving(application) as port:
        connection = say(port, b"GET / HTTP/1.1\r\n")
        stop = time.monotonic() + 60
        try:
            while time.monotonic() < stop:
                connection.sendall(b"X: y\r\n")
                connection.settimeout(0.05)
                try:
                    if connection.recv(1, socket.MSG_PEEK):
                        break
                except TimeoutError:
                    continue
        except ConnectionError:
            return
        connection.settimeout(60)
        assert refusal(hear(connection)) == (408, "request_timeout")


@pytest.mark.usefixtures("impatient")
def test_who_waits_for_an_answer_is_not_late_with_the_next_head(application: Application) -> None:
    with serving(application) as port:
        connection = say(port, b"GET /wait HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n")
        assert application.waiting.acquire(timeout=60)
        threading.Event().wait(0.5)
        connection.sendall(b"\r\n")
        application.go.set()
        heard = b""
        while heard.count(b"HTTP/1.1 200 OK") < 2:
            heard += connection.recv(65536)
        connection.close()


# --- connections ---


def test_silent_connections_make_room_for_those_who_say_something() -> None:
    application = Application(most=20)
    with serving(application) as port:
        kept = say(port, b"GET / HTTP/1.1\r\n\r\n")
        assert kept.recv(100).startswith(b"HTTP/1.1 200 ")
        silent = [dial(port) for _ in range(60)]
        assert ask(port).status == 200
        kept.sendall(b"GET /again HTTP/1.1\r\n\r\n")
        assert b"/again" in kept.recv(65536) + kept.recv(65536), "who was served before stays longest"
        kept.close()
        for connection in silent:
            connection.close()


def test_half_sent_heads_make_room_too() -> None:
    application = Application(most=20)
    with serving(application) as port:
        half = [say(port, b"GET / HTTP/1.1\r\nX-A: ") for _ in range(60)]
        assert ask(port).status == 200
        for connection in half:
            connection.close()


def test_when_all_are_busy_only_the_lane_is_served(application: Application) -> None:
    application.admission = Admission(10)
    with serving(application) as port:
        busy = [say(port, b"GET /wait HTTP/1.1\r\n\r\n") for _ in range(10)]
        for _ in busy:
            assert application.waiting.acquire(timeout=60)
        assert refusal(hear(say(port, b"GET /api/people HTTP/1.1\r\n\r\n"))) == (503, "too_busy")
        assert b"retry-after: 2" in hear(say(port, b"POST /api/files HTTP/1.1\r\nContent-Length: 9\r\n\r\n"))
        for path in ("/health", "/health/ready", "/telegram/webhook", "/api/telegram/webhook/7"):
            assert ask(port, "POST", path, b"{}").status == 200
        assert hear(say(port, b"GET /health/../api HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        filled = [dial(port) for _ in range(60)]
        for connection in filled:
            connection.close()
        application.go.set()
        for connection in busy:
            connection.close()
        eventually(lambda: ask(port, path="/api/people").status == 200, "room for everybody")


@pytest.mark.parametrize("protocol", ["h11", "httptools"])
def test_a_plain_server_refuses_large_heads_too(app: Flask, protocol: str) -> None:
    with serving(AsgiApplication(app), http=protocol) as port:
        for lines in (b"A: b\r\n" * 101, b"".join(b"X-%d: %b\r\n" % (n, b"x" * 1000) for n in range(66))):
            heard = hear(say(port, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines + b"\r\n"))
            assert refusal(heard) == (431, "headers_too_large") or heard.startswith(b"HTTP/1.1 400 ")
        assert ask(port, path="/health").status == 200
