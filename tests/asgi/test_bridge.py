"""The bridge, behind the real server: what a WSGI application is told, and what becomes of its answers."""

from __future__ import annotations

import errno
import io
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backend.app import create_app
from backend.asgi.limits.request_queue import RequestQueue
from backend.asgi.request_bodies import Bodies
from backend.asgi.wsgi_bridge.bridge import BodyRule, Bridge
from backend.core import config
from backend.core.config import Settings
from tests.support.serving import ask, dial, eventually, hear, say, serving

MAX_COUNT = 100_000
LARGER = 3_000_000
THREADS = 4


def told(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers with what it was told."""
    body = environ["wsgi.input"].read()
    shown = {name: value for name, value in environ.items() if isinstance(value, str | bool)}
    answer = json.dumps(shown | {"body": body.decode("latin-1")[:1000], "size": len(body)}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def rule(scope: Any) -> BodyRule:
    return BodyRule(LARGER if scope["path"] == "/large" else MAX_COUNT)


def bridge(application: Any, seconds: float = 20.0) -> Any:
    made = Bridge(application, RequestQueue(THREADS), RequestQueue(1), Bodies(seconds), rule)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await made(scope, receive, send)

    return serve


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(bridge(told)) as found:
        yield found


def read(answer: Any) -> dict[str, Any]:
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_method_path_query_and_body_arrive(port: int) -> None:
    environ = read(ask(port, "PUT", "/a%20b/%EC%84%9C%2Fc?x=1&y=%20", b"hello", Content_Type="text/plain"))
    assert environ["REQUEST_METHOD"] == "PUT"
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/a b/서/c"
    assert environ["QUERY_STRING"] == "x=1&y=%20"
    assert (environ["body"], environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"]) == ("hello", "5", "text/plain")
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert (environ["SERVER_PORT"], environ["wsgi.url_scheme"]) == (str(port), "http")


def test_a_request_without_a_body_has_no_length(port: int) -> None:
    environ = read(ask(port))
    assert (environ["size"], environ.get("CONTENT_LENGTH")) == (0, None)


def test_a_body_in_chunks_arrives_whole_and_as_one_with_a_length(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    heard = hear(say(port, head, b"3\r\nabc\r\n", b"4\r\ndefg\r\n", b"0\r\n\r\n"))
    environ = json.loads(heard.partition(b"\r\n\r\n")[2])
    assert (environ["body"], environ["CONTENT_LENGTH"]) == ("abcdefg", "7")
    assert "HTTP_TRANSFER_ENCODING" not in environ
    assert environ["wsgi.input_terminated"] is True


def test_headers_with_underscores_are_dropped(port: int) -> None:
    head = (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Real: mine\r\nX_Real: forged\r\nContent_Length: 5\r\n\r\n"
    )
    environ = json.loads(hear(say(port, head)).partition(b"\r\n\r\n")[2])
    assert environ["HTTP_X_REAL"] == "mine"
    assert "forged" not in json.dumps(environ)


def test_several_lines_of_a_header_are_one_list_in_order_and_cookies_stay_cookies(port: int) -> None:
    head = (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: a=1\r\nX-Forwarded-For: 6.6.6.6\r\n"
        b"Cookie: b=2\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n\r\n"
    )
    environ = json.loads(hear(say(port, head)).partition(b"\r\n\r\n")[2])
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_X_FORWARDED_FOR"] == "6.6.6.6,10.0.0.1, 10.0.0.2"


def test_an_announced_body_is_asked_for(port: int) -> None:
    connection = say(
        port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(b"ok")
    assert b'"body": "ok"' in hear(connection)


def test_a_large_body_arrives_where_the_view_takes_one(port: int) -> None:
    assert read(ask(port, "POST", "/large", b"x" * (LARGER - 1)))["size"] == LARGER - 1


@pytest.mark.parametrize("path", ["/small", "/large"])
def test_a_declared_body_over_the_bound_reaches_the_application_as_its_length_only(port: int, path: str) -> None:
    environ = read(answer := ask(port, "POST", path, b"x" * (LARGER + 5)))
    assert (environ["size"], environ["CONTENT_LENGTH"]) == (0, str(LARGER + 5))
    assert answer.headers["connection"] == "close"


def test_a_body_in_chunks_over_the_bound_is_cut_one_byte_after_it(port: int) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 10_000

    environ = read(ask(port, "POST", "/", pieces()))
    assert (environ["size"], environ["CONTENT_LENGTH"]) == (MAX_COUNT + 1, str(MAX_COUNT + 1))


def test_forty_half_sent_bodies_hold_no_thread_and_are_dropped_in_time() -> None:
    with serving(bridge(told, seconds=1.5)) as port:
        half = [say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf") for _ in range(10 * THREADS)]
        for _ in range(3):
            assert read(ask(port, "POST", "/", b"whole"))["body"] == "whole"
        for connection in half:
            heard = hear(connection)
            assert heard.startswith(b"HTTP/1.1 408 ")
            assert json.loads(heard.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"


def test_a_client_that_goes_in_the_middle_of_its_body_is_forgotten(port: int) -> None:
    say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf").close()
    assert read(ask(port))["size"] == 0


# --- answers ---


def answering(status: str, headers: list[tuple[str, str]], pieces: Any) -> Any:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, headers)
        return pieces

    return bridge(application)


def test_cookies_that_are_set_stay_apart() -> None:
    headers = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2, 3"), ("Content-Length", "2")]
    with serving(answering("201 Created", headers, [b"ok"])) as port:
        answer = ask(port)
    assert (answer.status, answer.headers.get_all("set-cookie")) == (201, ["a=1; Path=/", "b=2, 3"])


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 X")])
def test_answers_without_a_body(method: str, status: str) -> None:
    with serving(answering(status, [("Content-Length", "5")] if method == "HEAD" else [], [])) as port:
        answer = ask(port, method)
        assert (answer.status, answer.content) == (int(status[:3]), b"")  # type: ignore[attr-defined]


class Slow:
    """An answer whose second piece waits; knows whether it was closed."""

    def __init__(self) -> None:
        self.go, self.closed = threading.Event(), threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self.pieces()

    def pieces(self) -> Iterator[bytes]:
        try:
            yield b"first\n"
            assert self.go.wait(60)
            yield b"second\n"
            for _ in range(10_000):
                yield b"x" * 10_000
        finally:
            self.closed.set()


def test_a_first_piece_is_sent_before_the_second_is_there() -> None:
    slow = Slow()
    with serving(bridge(slow)) as port:
        connection = say(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        heard = b""
        while b"first" not in heard:
            heard += connection.recv(1000)
        assert not slow.go.is_set()
        slow.go.set()
        while b"second" not in heard:
            heard += connection.recv(1000)
        connection.close()
        assert slow.closed.wait(60), "the client went: the generator is closed"


def test_a_generator_is_closed_at_the_end_and_after_an_error() -> None:
    closed: list[str] = []

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        path = environ["PATH_INFO"]

        def pieces() -> Iterator[bytes]:
            try:
                yield b"a"
                if path == "/bad":
                    raise ValueError("in the middle")
                yield b"b"
            finally:
                closed.append(path)

        return pieces()

    with serving(bridge(application)) as port:
        assert ask(port, path="/good").content == b"ab"  # type: ignore[attr-defined]
        heard = hear(say(port, b"GET /bad HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert not heard.endswith(b"0\r\n\r\n"), "a broken answer does not look whole"
    assert closed == ["/good", "/bad"]


def test_an_application_that_raises_is_an_error_in_the_one_shape() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        raise ValueError("a secret detail")

    with serving(bridge(application)) as port:
        answer = ask(port)
    assert answer.status == 500
    assert json.loads(answer.content)["error"]["code"] == "internal_error"  # type: ignore[attr-defined]


def test_a_file_goes_through_whole_and_is_closed() -> None:
    file = io.BytesIO(bytes(range(256)) * 5000)

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(256 * 5000))])
        return environ["wsgi.file_wrapper"](file, 8192)

    with serving(bridge(application)) as port:
        assert ask(port).content == bytes(range(256)) * 5000  # type: ignore[attr-defined]
    assert file.closed


def test_slow_readers_hold_no_thread() -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        if environ["PATH_INFO"] == "/small":
            start_response("200 OK", [("Content-Length", "2")])
            return iter([b"ok"])
        start_response("200 OK", [])
        return (b"x" * 100_000 for _ in range(1000))

    with serving(bridge(application)) as port:
        slow = [say(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3 * THREADS)]
        for connection in slow:
            assert connection.recv(10)
        assert ask(port, path="/small").content == b"ok"  # type: ignore[attr-defined]
        for connection in slow:
            connection.close()


def test_requests_one_after_the_other_on_a_connection(port: int) -> None:
    connection = dial(port)
    for number in range(3):
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d" % number)
        heard = b""
        while f'"body": "{number}"'.encode() not in heard:
            heard += connection.recv(65536)
    connection.close()


def test_when_the_process_stops_half_sent_bodies_are_not_waited_for() -> None:
    bodies = Bodies(20.0)
    made = Bridge(told, RequestQueue(1), RequestQueue(1), bodies, rule)
    waiting: list[Any] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/hurry":
            bodies.shorten_waits(0.1)
        waiting.append(scope["type"])
        if scope["type"] == "http":
            await made(scope, receive, send)

    with serving(serve) as port:
        half = say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        eventually(lambda: "http" in waiting, "the request to be read")
        assert ask(port, path="/hurry").status == 200
        assert hear(half).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(("proxies", "expected"), [(0, "127.0.0.1"), (1, "9.9.9.9"), (2, "8.8.8.8")])
def test_only_what_our_own_proxies_added_counts_as_the_address(
    settings: Settings, app: Any, proxies: int, expected: str
) -> None:
    made = create_app(settings.model_copy(update={"trusted_proxies": proxies}))
    if proxies:
        made.wsgi_app.app = told  # type: ignore[attr-defined]
    else:
        made.wsgi_app = told  # type: ignore[method-assign]
    config.use(settings)
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6, 7.7.7.7\r\n"
    head += b"X_Forwarded_For: 5.5.5.5\r\nX-Forwarded-For: 8.8.8.8, 9.9.9.9\r\n\r\n"
    with serving(bridge(made)) as port:
        environ = json.loads(hear(say(port, head)).partition(b"\r\n\r\n")[2])
    assert environ["REMOTE_ADDR"] == expected


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (errno.ENOSPC, 507, "storage_full"),
        (errno.EMFILE, 503, "storage_unavailable"),
        (errno.EDQUOT, 507, "storage_full"),
    ],
)
def test_a_body_that_cannot_be_kept_is_refused_and_no_defect(
    port: int, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(number, "no")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    answer: Any = ask(port, "POST", "/large", body=b"x" * 2_000_000)
    assert (answer.status, json.loads(answer.content)["error"]["code"]) == (status, code)
    monkeypatch.undo()
    assert read(ask(port, "POST", "/large", body=b"x" * 2_000_000))["size"] == 2_000_000
