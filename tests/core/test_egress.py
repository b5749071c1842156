"""The guarded client reaches public addresses, exactly the ones it judged, within its bounds."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path

import pytest

from backend.core.egress import Egress, EgressFailed, EgressRefused
from tests.core.egress_server import Request, answer, certificates, network

PUBLIC = "93.184.216.34"
OTHER = "151.101.1.69"


def echo(request: Request) -> bytes:
    return answer(body=request.body or b"hello", Content_Type="text/plain", X_Seen=request.resource)


def to(location: str, status: str = "302 Found") -> bytes:
    return answer(status, b"moved", Location=location)


def test_a_public_address_is_asked_under_its_name() -> None:
    with network(echo) as world:
        response = world.egress().fetch(
            "POST", "http://Public.example:8080/path?q=1#f", headers={"X-Signature": "sig"}, body=b"data"
        )
    assert (response.status, response.content, response.size) == (200, b"data", 4)
    assert response.headers["content-type"] == "text/plain"
    assert response.url == "http://public.example:8080/path?q=1"
    assert world.connected == [(PUBLIC, 8080)]
    (request,) = world.requests
    assert (request.method, request.resource, request.body) == ("POST", "/path?q=1", b"data")
    assert request.headers["host"] == "public.example:8080"
    assert request.headers["x-signature"] == "sig"
    assert request.headers["user-agent"] == "Switchboard"


def test_an_answer_that_is_an_error_is_an_answer() -> None:
    with network(lambda _: answer("503 Away", b"later", Retry_After="7")) as world:
        response = world.egress().fetch("GET", "http://public.example/")
    assert (response.status, response.content, response.headers["retry-after"]) == (503, b"later", "7")


def test_the_repr_of_an_answer_shows_neither_address_nor_content() -> None:
    with network(echo) as world:
        shown = repr(world.egress().fetch("POST", "http://public.example/?token=hunter2", body=b"hunter2"))
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[::]",
        "１２７.0.0.1",
    ],
)
def test_a_private_address_is_refused_before_any_connection(host: str) -> None:
    with network(echo) as world:
        with pytest.raises(EgressRefused) as caught:
            world.egress().fetch("GET", f"http://{host}/secret?key=hunter2")
        assert world.connected == []
        assert world.resolved == []
    assert (caught.value.code, caught.value.status) == ("private_address", 422)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        ["::ffff:127.0.0.1"],
        ["2606:4700::1111", "::1"],
        ["fe80::1%eth0"],
        ["not an address"],
    ],
)
def test_a_name_with_any_private_address_is_refused(answers: list[str]) -> None:
    with network(echo, names={"mixed.example": [answers]}) as world:
        with pytest.raises(EgressRefused) as caught:
            world.egress().fetch("GET", "http://mixed.example/")
        assert world.connected == []
    assert caught.value.code == "private_address"


def test_a_name_that_changes_its_mind_is_asked_once_and_connected_where_it_was_judged() -> None:
    with network(echo, names={"rebinding.example": [[PUBLIC], ["127.0.0.1"]]}) as world:
        assert world.egress().fetch("GET", "http://rebinding.example/").status == 200
    assert world.resolved == ["rebinding.example"]
    assert world.connected == [(PUBLIC, 80)]


def test_a_name_that_changes_its_mind_at_a_redirect_is_refused() -> None:
    with network(lambda _: to("/again"), names={"rebinding.example": [[PUBLIC], ["127.0.0.1"]]}) as world:
        with pytest.raises(EgressRefused) as caught:
            world.egress().fetch("GET", "http://rebinding.example/")
        assert world.connected == [(PUBLIC, 80)]
    assert caught.value.code == "private_address"


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://public.example/", None),
        ("http://inside.example/", "private_address"),
        ("http://127.0.0.1/", "private_address"),
        ("ftp://public.example/", "invalid_url"),
        ("http://unknown.example/", "dns_failed"),
    ],
)
def test_an_address_can_be_judged_without_going_there(url: str, refused: str | None) -> None:
    with network(echo, names={"inside.example": [["10.0.0.1"]]}) as world:
        if refused is None:
            world.egress().judge(url)
        else:
            with pytest.raises((EgressRefused, EgressFailed)) as caught:
                world.egress().judge(url)
            assert caught.value.code == refused
        assert world.connected == []


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://127.0.0.1/", "private_address"),
        ("http://[::ffff:127.0.0.1]/", "private_address"),
        ("http://inside.example/", "private_address"),
        ("http://169.254.169.254/latest/meta-data", "private_address"),
        ("http://2130706433/", "invalid_url"),
        ("http://user:pw@public.example/", "invalid_url"),
        ("file:///etc/passwd", "invalid_url"),
        ("//public.example:6379/", "forbidden_port"),
    ],
)
def test_a_redirect_is_judged_like_the_first_address(location: str, code: str) -> None:
    with network(lambda _: to(location), names={"inside.example": [["10.0.0.1"]]}) as world:
        with pytest.raises(EgressRefused) as caught:
            world.egress().fetch("GET", "http://public.example/")
        assert len(world.connected) == 1
    assert caught.value.code == code


def test_private_addresses_are_reached_where_that_is_allowed() -> None:
    with network(echo, names={"localhost": [["127.0.0.1", "::1"]]}) as world:
        assert world.egress(allow_private=True).fetch("GET", "http://localhost/").content == b"hello"
        with pytest.raises(EgressRefused):
            world.egress(allow_private=True).fetch("GET", "http://169.254.169.254/")


def test_over_the_real_system_a_loopback_name_is_refused_and_reached_only_if_allowed() -> None:
    with network(echo) as world:
        url = f"http://localhost:{world.port}/"
        with pytest.raises(EgressRefused):
            Egress().fetch("GET", url)
        assert world.requests == []
        assert Egress(allow_private=True).fetch("GET", url).content == b"hello"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with network(echo) as world:
        assert world.egress().fetch("GET", "http://public.example/").status == 200


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        ("301 Moved", "POST", "GET", b""),
        ("302 Found", "POST", "GET", b""),
        ("303 See Other", "POST", "GET", b""),
        ("303 See Other", "PUT", "GET", b""),
        ("303 See Other", "HEAD", "HEAD", b""),
        ("302 Found", "PUT", "PUT", b"data"),
        ("307 Temporary", "POST", "POST", b"data"),
        ("308 Permanent", "POST", "POST", b"data"),
        ("301 Moved", "GET", "GET", b""),
    ],
)
def test_redirects_change_the_method_as_browsers_do(status: str, method: str, then: str, body: bytes) -> None:
    def handler(request: Request) -> bytes:
        return to("/after", status) if request.resource == "/" else answer()

    sent = b"data" if method in ("POST", "PUT") else None
    with network(handler) as world:
        response = world.egress().fetch(
            method, "http://public.example/", body=sent, headers={"Content-Type": "a/b", "Authorization": "Bearer x"}
        )
    assert response.url == "http://public.example/after"
    after = world.requests[1]
    assert (after.method, after.body) == (then, body)
    assert ("content-type" in after.headers) == (then == method)
    assert after.headers["authorization"] == "Bearer x"


@pytest.mark.parametrize("place", ["http://other.example/", "http://public.example:8080/"])
def test_another_origin_gets_no_header_that_could_be_a_secret(place: str) -> None:
    def handler(request: Request) -> bytes:
        return to(place, "307 Temporary") if len(world.requests) == 1 else answer()

    with network(handler, names={"other.example": [[OTHER]]}) as world:
        secret = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Api-Key": "k", "Content-Type": "a/b"}
        world.egress().fetch("POST", "http://public.example/", body=b"data", headers=secret)
    after = world.requests[1].headers
    assert not {"authorization", "cookie", "x-api-key"} & set(after)
    assert after["content-type"] == "a/b"


@pytest.mark.parametrize(("hops", "limit", "arrives"), [(3, 3, True), (4, 3, False), (1, 1, True), (9, 3, False)])
def test_redirects_are_counted(hops: int, limit: int, arrives: bool) -> None:
    def handler(request: Request) -> bytes:
        step = int(request.resource[1:])
        return answer(body=b"here") if step == hops else to(f"/{step + 1}")

    with network(handler) as world:
        if arrives:
            assert world.egress().fetch("GET", "http://public.example/0", max_redirects=limit).content == b"here"
        else:
            with pytest.raises(EgressFailed) as caught:
                world.egress().fetch("GET", "http://public.example/0", max_redirects=limit)
            assert caught.value.code == "too_many_redirects"
            assert len(world.requests) == limit + 1


def test_without_redirects_the_redirect_is_the_answer() -> None:
    with network(lambda _: to("http://127.0.0.1/")) as world:
        response = world.egress().fetch("GET", "http://public.example/", max_redirects=0)
    assert (response.status, response.content) == (302, b"moved")


def test_a_location_in_utf8_is_understood() -> None:
    def handler(request: Request) -> bytes:
        return answer(body=b"here") if request.resource != "/" else to("/경로")

    with network(handler) as world:
        assert world.egress().fetch("GET", "http://public.example/").content == b"here"
    assert world.requests[1].resource == "/%EA%B2%BD%EB%A1%9C"


def test_tls_is_verified_for_the_name_while_the_address_is_pinned(tmp_path: Path) -> None:
    server, client = certificates(tmp_path, "hooks.example")
    names = {"hooks.example": [[PUBLIC]], "wrong.example": [[PUBLIC]]}
    with network(echo, names=names, tls=server) as world:
        egress = world.egress(ssl_context=client)
        assert egress.fetch("POST", "https://hooks.example/x", body=b"data").content == b"data"
        assert world.server_names == ["hooks.example"]
        assert world.connected == [(PUBLIC, 443)]
        assert world.requests[0].headers["host"] == "hooks.example"
        for url in ("https://wrong.example/", f"https://{PUBLIC}/"):
            with pytest.raises(EgressFailed) as caught:
                egress.fetch("POST", url, body=b"data")
            assert (caught.value.code, caught.value.sent) == ("tls_failed", False)
        with pytest.raises(EgressFailed) as caught:
            world.egress().fetch("GET", "https://hooks.example/")
        assert caught.value.code == "tls_failed"
        assert len(world.requests) == 1


def test_a_server_without_tls_gets_nothing_over_https() -> None:
    with network(echo) as world:
        with pytest.raises(EgressFailed) as caught:
            world.egress().fetch("POST", "https://public.example/?key=hunter2", body=b"data", timeout=5)
        assert world.requests == []
    assert (caught.value.code, caught.value.sent) == ("tls_failed", False)
    assert str(caught.value).startswith("tls_failed: https://public.example: ")


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with network(echo, names={"two.example": [[OTHER, PUBLIC]]}) as world:
        world.unreachable.add(OTHER)
        assert world.egress().fetch("GET", "http://two.example/").status == 200
    assert world.connected == [(OTHER, 80), (PUBLIC, 80)]


@pytest.mark.parametrize("names", [{}, {"away.example": [[]]}])
def test_a_name_without_addresses_has_sent_nothing(names: dict[str, list[list[str]]]) -> None:
    with network(echo, names=names) as world:
        with pytest.raises(EgressFailed) as caught:
            world.egress().fetch("GET", "http://away.example/?key=hunter2")
        assert world.connected == []
    assert (caught.value.code, caught.value.sent) == ("dns_failed", False)
    assert "hunter2" not in str(caught.value)


def test_a_refused_connection_has_sent_nothing() -> None:
    with network(echo) as world:
        world.unreachable.add(PUBLIC)
        with pytest.raises(EgressFailed) as caught:
            world.egress().fetch("GET", "http://public.example/?key=hunter2")
    assert (caught.value.code, caught.value.sent) == ("connect_failed", False)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nHost: b"},
        {"X": "a\nb"},
        {"X\r\nY": "a"},
        {"X Y": "a"},
        {"": "a"},
        {"X": "가"},
        {"X": "\x00"},
        {"Host": "127.0.0.1"},
        {"host": "x"},
        {"Content-Length": "0"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_headers_that_could_smuggle_are_refused(headers: dict[str, str]) -> None:
    with network(echo) as world:
        with pytest.raises(EgressRefused) as caught:
            world.egress().fetch("GET", "http://public.example/", headers=headers)
        assert world.connected == []
    assert caught.value.code == "invalid_header"


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "GET /x HTTP/1.1\r\nX: "])
def test_a_method_that_is_not_used_is_a_mistake_of_the_caller(method: str) -> None:
    with pytest.raises(ValueError, match="not a method"):
        Egress().fetch(method, "http://public.example/")


def test_connections_are_closed_whatever_happens() -> None:
    opened: list[socket.socket] = []
    with network(lambda request: to("/b") if request.resource == "/" else b"HTTP/1.1 2") as world:

        def connector(address: tuple[str, int], timeout: float) -> socket.socket:
            opened.append(world.connect(address, timeout))
            return opened[-1]

        with pytest.raises(EgressFailed):
            Egress(resolver=world.resolve, connector=connector).fetch("GET", "http://public.example/")
    assert len(opened) == 2
    assert [each.fileno() for each in opened] == [-1, -1]


def test_failures_survive_the_way_between_processes() -> None:
    copy = pickle.loads(pickle.dumps(EgressFailed("timeout", "https://x took too long.", sent=False)))
    assert (copy.code, copy.message, copy.sent) == ("timeout", "https://x took too long.", False)
