"""No answer takes more time or room than it was given, whatever the other side does."""

from __future__ import annotations

import gzip
import io
import socket
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from backend.core.egress import Egress, EgressFailed
from tests.core.egress_server import Request, answer, network

PUBLIC = "93.184.216.34"


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def to(location: str) -> bytes:
    return answer("302 Found", b"moved", Location=location)


def dripping(clock: Clock, head: bytes, unit: bytes) -> Iterator[bytes]:
    yield head
    while True:
        clock.now += 3
        yield unit


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"", b"H"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_a_dripping_answer_ends_at_the_deadline_of_the_whole(head: bytes, unit: bytes) -> None:
    clock = Clock()
    with network(lambda _: dripping(clock, head, unit)) as world, pytest.raises(EgressFailed) as caught:
        world.egress(monotonic=clock).fetch("GET", "http://public.example/?key=hunter2", timeout=10)
    assert (caught.value.code, caught.value.sent) == ("timeout", True)
    assert "hunter2" not in str(caught.value)


def test_redirects_share_one_deadline() -> None:
    clock = Clock()

    def handler(_: Request) -> bytes:
        clock.now += 4
        return to("/again")

    with network(handler) as world:
        with pytest.raises(EgressFailed) as caught:
            world.egress(monotonic=clock).fetch("GET", "http://public.example/", timeout=10, max_redirects=9)
        assert len(world.requests) == 3
    assert caught.value.code == "timeout"


def test_a_silent_server_ends_at_the_deadline() -> None:
    hold, clock = threading.Event(), Clock()

    def handler(_: Request) -> Iterator[bytes]:
        hold.wait(60)
        yield answer()

    with network(handler) as world:

        def connector(address: tuple[str, int], timeout: float) -> socket.socket:
            made = world.connect(address, timeout)
            clock.now += 9.95  # from here on there is little left to wait
            return made

        egress = Egress(resolver=world.resolve, connector=connector, monotonic=clock)
        with pytest.raises(EgressFailed) as caught:
            egress.fetch("GET", "http://public.example/", timeout=10)
        hold.set()
    assert (caught.value.code, caught.value.sent) == ("timeout", True)


def test_a_silent_resolver_ends_at_the_deadline_too() -> None:
    hold = threading.Event()

    def resolver(_host: str, _port: int) -> list[str]:
        hold.wait(60)
        return [PUBLIC]

    with pytest.raises(EgressFailed) as caught:
        Egress(resolver=resolver).fetch("GET", "http://public.example/", timeout=0.05)
    hold.set()
    assert (caught.value.code, caught.value.sent) == ("timeout", False)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNBOUNDED = b"HTTP/1.1 200 OK\r\n\r\n"


def endless(head: bytes, unit: bytes) -> Iterator[bytes]:
    yield head
    while True:
        yield unit


@pytest.mark.parametrize(
    ("size", "fits"), [(0, True), (1, True), (99_999, True), (100_000, True), (100_001, False), (300_000, False)]
)
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_body_of_exactly_the_bound_is_taken_and_a_byte_more_is_not(framing: str, size: int, fits: bool) -> None:
    body = b"x" * size
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[i : i + 9000] for i in range(0, size, 9000)))
    sent = {"length": answer(body=body), "chunked": CHUNKED + chunks + b"0\r\n\r\n", "close": UNBOUNDED + body}
    with network(lambda _: sent[framing]) as world:
        if fits:
            response = world.egress().fetch("GET", "http://public.example/", max_bytes=100_000)
            assert response.content == body
        else:
            with pytest.raises(EgressFailed) as caught:
                world.egress().fetch("GET", "http://public.example/", max_bytes=100_000)
            assert caught.value.code == "response_too_large"


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (UNBOUNDED, b"x" * 5000),
        (CHUNKED, b"1388\r\n" + b"x" * 5000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 5000),
    ],
)
def test_an_endless_body_is_left_at_the_bound(head: bytes, unit: bytes) -> None:
    sink = io.BytesIO()
    with network(lambda _: endless(head, unit)) as world, pytest.raises(EgressFailed) as caught:
        world.egress().fetch_to(sink, "GET", "http://public.example/", max_bytes=100_000)
    assert caught.value.code == "response_too_large"
    assert len(sink.getvalue()) <= 100_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x-gzip", "GZIP"])
def test_packed_bodies_are_unpacked(encoding: str) -> None:
    plain = "안녕하세요 ".encode() * 20_000
    packed = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain)
    with network(lambda _: answer(body=packed, Content_Encoding=encoding)) as world:
        response = world.egress().fetch("GET", "http://public.example/")
    assert response.content == plain
    assert response.size == len(plain)


def test_a_bomb_never_unpacks_beyond_the_bound() -> None:
    sink = io.BytesIO()
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    with network(lambda _: answer(body=bomb, Content_Encoding="gzip")) as world, pytest.raises(EgressFailed) as caught:
        world.egress().fetch_to(sink, "GET", "http://public.example/", max_bytes=100_000)
    assert caught.value.code == "response_too_large"
    assert len(sink.getvalue()) <= 100_000
    # Twice packed is unpacked once: what is inside is the caller's.
    with network(lambda _: answer(body=gzip.compress(bomb), Content_Encoding="gzip")) as world:
        assert world.egress().fetch("GET", "http://public.example/", max_bytes=100_000).content == bomb


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "connection_lost"),
        (CHUNKED + b"a\r\nhalf", "connection_lost"),
        (CHUNKED + b"zz\r\nhalf", "connection_lost"),
        (answer(body=gzip.compress(b"x" * 1000, mtime=0)[:-9], Content_Encoding="gzip"), "connection_lost"),
        (answer(body=b"not packed at all", Content_Encoding="gzip"), "bad_response"),
        (answer(body=b"x", Content_Encoding="br"), "unsupported_encoding"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "bad_response"),
        (b"HTTP/1.1 abc\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "bad_response"),
    ],
)
def test_damaged_answers_are_named(sent: bytes, code: str) -> None:
    with network(lambda _: sent) as world, pytest.raises(EgressFailed) as caught:
        world.egress().fetch("GET", "http://public.example/?key=hunter2")
    assert (caught.value.code, caught.value.sent, caught.value.status) == (code, True, 422)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n"]
)
def test_answers_without_a_body_have_none(sent: bytes) -> None:
    with network(lambda _: sent) as world:
        assert world.egress().fetch("GET", "http://public.example/").content == b""


def test_head_reads_the_head_alone() -> None:
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nContent-Encoding: gzip\r\n\r\n"
    with network(lambda _: sent) as world:
        response = world.egress().fetch("HEAD", "http://public.example/")
    assert (response.status, response.content, response.headers["content-length"]) == (200, b"", "99999999")


def test_a_body_goes_to_a_file_as_it_comes() -> None:
    body = bytes(range(256)) * 4000
    file = io.BytesIO()
    with network(lambda _: answer(body=body)) as world:
        response = world.egress().fetch_to(file, "GET", "http://public.example/")
    assert file.getvalue() == body
    assert (response.content, response.size) == (b"", len(body))


def test_the_body_of_a_redirect_never_reaches_the_file() -> None:
    file = io.BytesIO()
    with network(lambda request: to("/b") if request.resource == "/" else answer(body=b"real")) as world:
        world.egress().fetch_to(file, "GET", "http://public.example/")
    assert file.getvalue() == b"real"


def test_a_failing_file_is_not_taken_for_a_failing_server() -> None:
    class Full(io.BytesIO):
        def write(self, _data: Any) -> int:
            raise OSError(28, "No space left on device")

    with network(lambda _: answer(body=b"hello")) as world, pytest.raises(OSError, match="No space left"):
        world.egress().fetch_to(Full(), "GET", "http://public.example/")


def test_a_large_body_is_sent_whole() -> None:
    body = bytes(3_000_000)
    with network(lambda request: answer(body=str(len(request.body)).encode())) as world:
        assert world.egress().fetch("PUT", "http://public.example/", body=body).content == b"3000000"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (CHUNKED + b"-1\r\n" + b"x" * 900_000, "response_too_large"),
        (CHUNKED + b"-5\r\nxxxxx\r\n0\r\n\r\n", "bad_response"),
        (CHUNKED + b"f" * 60 + b"\r\n" + b"x" * 2000, "connection_lost"),
        (CHUNKED + b"zz\r\nxxxxx", "connection_lost"),
        (CHUNKED + b"\r\nxxxxx", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx", "response_too_large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + b"x" * 2000, "response_too_large"),
        (b"HTTP/1.1 99999999999999999999 OK\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 -20 OK\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, "response_too_large"),
        (b"HTTP/1.1 200 OK\r\n" + (b"X-Long: " + b"x" * 60_000 + b"\r\n") * 90 + b"\r\n", "response_too_large"),
    ],
)
def test_absurd_numbers_and_lengths_end_as_a_failure(raw: bytes, code: str) -> None:
    with network(lambda _: raw) as world, pytest.raises(EgressFailed) as caught:
        world.egress().fetch("GET", "http://public.example/", max_bytes=1000)
    assert (caught.value.code, caught.value.sent) == (code, True)


@pytest.mark.parametrize("length", [b"5", b" 5", b"abc", b"9" * 5000 + b"x", b"1e1", b""])
def test_a_length_that_is_no_number_is_not_believed(length: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\nhello"
    with network(lambda _: raw) as world:
        assert world.egress().fetch("GET", "http://public.example/", max_bytes=1000).content == b"hello"
