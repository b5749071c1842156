"""Credentials before bodies, and bounds on what bodies under way hold."""

from __future__ import annotations

import errno
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from backend.asgi import request_bodies
from backend.asgi.application import AsgiApplication
from backend.asgi.limits.body_budget import MIB, Budget
from backend.asgi.limits.request_queue import RequestQueue
from backend.asgi.request_bodies import Bodies
from backend.asgi.wsgi_bridge.bridge import BodyRule, Bridge
from backend.models import User
from tests.asgi.conftest import Served
from tests.asgi.test_bridge import told
from tests.http import callers
from tests.support.serving import ask, dial, eventually, hear, say, serving

FORM = 'multipart/form-data; boundary="b"'
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'


def head(path: str, length: int | None, method: str = "POST", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x"]
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def status_of(heard: bytes) -> int:
    return int(heard.split(b" ")[1])


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The files made for bodies."""
    made: list[Any] = []
    real = tempfile.TemporaryFile

    def temporary(*arguments: Any, **options: Any) -> Any:
        made.append(real(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(request_bodies.tempfile, "TemporaryFile", temporary)
    return made


@contextmanager
def uploads(port: int, count: int, **headers: str) -> Iterator[list[socket.socket]]:
    """So many uploads of 40 MB of which the first three are there."""
    first = PART + b"x" * (3 * MIB)
    many = [dial(port) for _ in range(count)]
    for connection in many:
        connection.settimeout(0.5)
        with suppress(OSError):  # perhaps it was refused meanwhile
            connection.sendall(head("/api/files", 40 * MIB, Content_Type=FORM, **headers) + first)
        connection.settimeout(60)
    yield many
    for connection in many:
        connection.close()


def test_twenty_strangers_uploads_hold_nothing(served: Served, files: list[Any]) -> None:
    with uploads(served.port, 20) as many:
        assert (served.front.bodies.memory.used, served.front.bodies.disk.used) == (0, 0)
        many[0].shutdown(socket.SHUT_WR)
    assert files == []


@pytest.mark.parametrize(
    "credentials", [{}, {"Authorization": "Bearer nonsense"}, {"Cookie": "switchboard=1.1.x"}, {"Authorization": "x"}]
)
@pytest.mark.parametrize("path", ["/api/files", "/api/alerts/grafana", "/api/events"])
def test_a_stranger_is_told_so_without_being_read(
    served: Served, files: list[Any], path: str, credentials: dict[str, str]
) -> None:
    answer = ask(served.port, "POST", path, b"x" * 900_000, Content_Type="application/json", **credentials)
    assert (answer.status, answer.headers["connection"]) == (401, "close")
    assert json.loads(answer.content)["error"]["code"] == "unauthorized"  # type: ignore[attr-defined]
    assert files == []


def test_a_stranger_who_asks_first_sends_nothing(served: Served) -> None:
    heard = hear(say(served.port, head("/api/files", 40 * MIB, Content_Type=FORM, Expect="100-continue")))
    assert status_of(heard) == 401
    assert b"100 Continue" not in heard


def test_who_may_send_is_asked_for_the_body(served: Served, ada: User) -> None:
    content = PART + b"hello\r\n--b--\r\n"
    sent = head("/api/files", len(content), Content_Type=FORM, Expect="100-continue", **callers.signed_in(ada))
    connection = say(served.port, sent)
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(content)
    assert b"HTTP/1.1 201 " in connection.recv(65536)
    connection.close()


@pytest.mark.parametrize("length", ["declared", "chunked"])
def test_a_body_in_pieces_arrives_after_the_credentials(served: Served, ada: User, length: str) -> None:
    content = PART + b"x" * 2_000_000 + b"\r\n--b--\r\n"
    headers = {"Content_Type": FORM, "Connection": "close", **callers.signed_in(ada)}
    if length == "declared":
        connection = say(served.port, head("/api/files", len(content), **headers), content[:50_000], content[50_000:])
    else:
        chunk = b"%x\r\n%b\r\n" % (len(content), content)
        connection = say(served.port, head("/api/files", None, **headers), chunk, b"0\r\n\r\n")
    heard = hear(connection)
    assert status_of(heard) == 201
    assert json.loads(heard.partition(b"\r\n\r\n")[2])["size"] == 2_000_000
    eventually(lambda: served.front.bodies.disk.used == 0, "everything to be given back")


def test_who_may_not_use_a_view_is_not_read_either(served: Served, files: list[Any]) -> None:
    headers = callers.signed_in(callers.member(role="viewer"))
    answer = ask(served.port, "POST", "/api/files", b"x" * 3_000_000, Content_Type=FORM, **headers)
    assert (answer.status, files) == (403, [])


def test_a_token_without_the_scope_is_not_read(served: Served, ada: User, files: list[Any]) -> None:
    headers = callers.with_token(ada, ["read"])
    answer = ask(served.port, "POST", "/api/files", b"x" * 3_000_000, Content_Type=FORM, **headers)
    assert (answer.status, files) == (403, [])


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), ("/api/nowhere", 404), ("/health", 405), ("/api/docs", 405)]
)
def test_an_address_that_takes_no_body_gets_none(served: Served, files: list[Any], path: str, status: int) -> None:
    assert ask(served.port, "POST", path, b"x" * 3_000_000).status == status
    assert files == []


@pytest.mark.parametrize(
    "path", ["/api/auth/login", "/api/auth/register", "/api/auth/password-reset", "/console/sign-in"]
)
def test_what_anybody_may_send_is_small(served: Served, path: str) -> None:
    answer = ask(
        served.port, "POST", path, b"x" * 300_000, Content_Type="application/json", Sec_Fetch_Site="same-origin"
    )
    assert answer.status == 413


def test_a_wrong_secret_is_refused_before_the_update_is_read(served: Served) -> None:
    connection = say(
        served.port, head("/telegram/webhook", 900_000, X_Telegram_Bot_Api_Secret_Token="wrong", Expect="100-continue")
    )
    assert status_of(hear(connection)) == 401


# --- what is held ---


def limited(memory: Budget, disk: Budget, admits: Any = lambda: True) -> tuple[Any, Bodies]:
    """The bridge with these budgets."""
    reader = Bodies(memory=memory, disk=disk)
    made = Bridge(told, RequestQueue(4), RequestQueue(1), reader, lambda scope: BodyRule(20 * MIB, admits))

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await made(scope, receive, send)

    return serve, reader


def busy(answer: Any) -> bool:
    return (
        answer.status == 503
        and json.loads(answer.content)["error"]["code"] == "too_busy"
        and answer.headers["retry-after"] == "2"
    )


@pytest.mark.parametrize(
    ("memory", "disk", "size"),
    [
        (Budget(MIB, MIB), Budget(MIB, MIB), 5 * MIB),
        (Budget(1000, 1000), Budget(1, 1), 200_000),
        (Budget(MIB, 1000), Budget(MIB, 1), 600_000),
    ],
    ids=["disk", "memory", "one sender"],
)
def test_more_than_may_be_held_is_refused_and_nothing_stays(memory: Budget, disk: Budget, size: int) -> None:
    serve, _ = limited(memory, disk)
    with serving(serve) as port:
        connection = say(port, head("/", size), b"x" * 10_000)
        with suppress(OSError):
            connection.sendall(b"x" * (size - 10_000))
        heard = hear(connection)
        assert (status_of(heard), json.loads(heard.partition(b"\r\n\r\n")[2])["error"]["code"]) == (503, "too_busy")
        assert ask(port, "POST", "/", b"small").status == 200
        assert (memory.used, disk.used) == (0, 0)


def test_one_senders_bodies_leave_room_for_anothers() -> None:
    memory = Budget(200_000, 100_000)
    serve, _ = limited(memory, Budget(MIB, MIB))
    with serving(serve) as port:
        half = [say(port, head("/", 80_000, Authorization="Bearer greedy"), b"x" * 50_000) for _ in range(6)]
        eventually(lambda: memory.used == 100_000, "two of them to be read")
        slow = say(port, head("/", 60_000, Authorization="Bearer modest", Connection="close"), b"x" * 10)
        slow.sendall(b"x" * 59_990)
        assert status_of(hear(slow)) == 200
        for connection in half:
            connection.close()
        eventually(lambda: memory.used == 0, "what was held to be given back")


def test_a_full_disk_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, piece: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def close(self) -> None:
            return

    monkeypatch.setattr(request_bodies.tempfile, "TemporaryFile", Full)
    serve, reader = limited(Budget(MIB, MIB), Budget(9 * MIB, 9 * MIB))
    with serving(serve) as port:
        answer = ask(port, "POST", "/", b"x" * (3 * MIB))
        assert (answer.status, json.loads(answer.content)["error"]["code"]) == (507, "storage_full")  # type: ignore[attr-defined]
        assert (reader.memory.used, reader.disk.used) == (0, 0)


def test_a_database_that_is_away_is_no_refusal_of_credentials(
    app: Flask, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("gone"))

    headers = callers.signed_in(ada)
    with serving(AsgiApplication(app)) as port:
        monkeypatch.setattr("backend.services.auth.credentials.by_sign_in", away)
        answer = ask(port, "POST", "/api/files", b"x" * 300_000, Content_Type=FORM, **headers)
    assert answer.status == 503


# --- requests that wait ---


def test_requests_beyond_what_may_wait_are_503_and_the_lane_goes_on() -> None:
    go, waiting = threading.Event(), threading.Semaphore(0)

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            waiting.release()
            assert go.wait(60)
        return told(environ, start_response)

    made = Bridge(application, RequestQueue(4, most=8), RequestQueue(2), Bodies(), lambda scope: BodyRule(1000))

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await made(scope, receive, send)

    with serving(serve) as port:
        mine = [say(port, b"GET /wait HTTP/1.1\r\nAuthorization: Bearer greedy\r\n\r\n") for _ in range(7)]
        for _ in range(3):
            assert waiting.acquire(timeout=60)
        assert not waiting.acquire(blocking=False), "three of four threads are all that one caller gets"
        assert ask(port, path="/", Authorization="Bearer modest").status == 200
        assert busy(ask(port, path="/", Authorization="Bearer greedy")), "four wait already"
        others = [say(port, b"GET /wait HTTP/1.1\r\nAuthorization: Bearer other\r\n\r\n") for _ in range(1)]
        assert waiting.acquire(timeout=60)
        assert busy(ask(port, path="/", Authorization="Bearer modest")), "eight are under way"
        assert ask(port, path="/health").status == 200
        assert ask(port, path="/health/ready").status == 200
        go.set()
        for connection in (*mine, *others):
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
            connection.close()
        assert ask(port, path="/", Authorization="Bearer modest").status == 200
