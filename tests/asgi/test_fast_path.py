"""Updates that came whole: taken at once, answered after their commit, and no stranger gets in this way."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.asgi import protocol
from backend.asgi.application import AsgiApplication
from backend.asgi.webhooks import fast_path
from backend.core.database import db, system_scope
from backend.models import WebhookEvent
from backend.services.intake import batcher
from backend.services.senders import webhook_verifier
from tests.asgi.conftest import Served
from tests.support.serving import SECONDS, eventually, hear, say, serving

SECRET = b"X-Telegram-Bot-Api-Secret-Token: test-webhook-secret\r\n"


def request(number: int, *, path: bytes = b"/telegram/webhook", secret: bytes = SECRET, more: bytes = b"") -> bytes:
    message = {"message_id": number, "date": 1, "chat": {"id": 7, "type": "private"}}
    body = json.dumps({"update_id": number, "message": message}).encode()
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b%b\r\n" % (path, len(body), secret, more)
    return head + body


LAST = b"Connection: close\r\n"


def stored() -> int:
    with system_scope("test"):
        found = len(db.session.execute(select(WebhookEvent.id)).all())
        db.session.rollback()
    return found


@pytest.fixture
def known(served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The door is remembered, for as long as a test takes: the first update went the ordinary way."""
    monkeypatch.setattr(webhook_verifier, "_SECONDS", 3600.0)
    assert b" 200 OK" in hear(say(served.port, request(1, more=LAST)))
    return served


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The updates that were taken at once."""
    seen: list[bytes] = []
    real = fast_path.FastPath.take

    def take(self: fast_path.FastPath, target: Any, raw: bytes, sink: Any) -> None:
        seen.append(raw)
        real(self, target, raw, sink)

    monkeypatch.setattr(fast_path.FastPath, "take", take)
    return seen


def test_a_whole_update_is_taken_at_once(known: Served, taken: list[bytes]) -> None:
    heard = hear(say(known.port, request(2, more=LAST)))
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body) == {"ok": True}
    names = {line.split(b": ")[0] for line in head.split(b"\r\n")[1:]}
    assert {b"date", b"x-request-id", b"content-length", b"x-content-type-options", b"connection"} <= names
    assert (len(taken), stored()) == (1, 2)


def test_the_first_update_through_a_door_goes_the_ordinary_way(served: Served, taken: list[bytes]) -> None:
    assert b" 200 OK" in hear(say(served.port, request(1, more=LAST)))
    assert (taken, stored()) == ([], 1)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(2, secret=b"", more=LAST), b"401"),
        (request(2, secret=SECRET.replace(b"test", b"best"), more=LAST), b"401"),
        (request(2, path=b"/api/telegram/webhook/99", more=LAST), b"404"),
        (request(2, path=b"/telegram/webhook?x=1", more=LAST), b"200"),
        (request(2, more=LAST).replace(b"HTTP/1.1", b"HTTP/1.0", 1), b"200"),
    ],
)
def test_whatever_is_not_quite_ordinary_goes_the_ordinary_way(
    known: Served, taken: list[bytes], sent: bytes, status: bytes
) -> None:
    assert hear(say(known.port, sent)).split(b" ")[1] == status
    assert (taken, stored()) == ([], 2 if status == b"200" else 1)


@pytest.mark.parametrize(("patience", "at_once"), [(60.0, True), (0.0, False)])
def test_an_update_in_pieces_is_stored_whole_whichever_way_it_goes(
    known: Served, taken: list[bytes], monkeypatch: pytest.MonkeyPatch, patience: float, at_once: bool
) -> None:
    """The first piece ends in the headers, between them and the body, and in the body."""
    monkeypatch.setattr(protocol, "_PATIENCE_SECONDS", patience)
    gone_on = threading.Event()
    real = protocol.FastProtocol._fall_back

    def go_on(self: protocol.FastProtocol) -> None:
        real(self)
        gone_on.set()

    monkeypatch.setattr(protocol.FastProtocol, "_fall_back", go_on)
    whole = request(2, more=LAST)
    body = whole.index(b"\r\n\r\n") + 4
    for cut in (body, body + 10, len(whole) - 1):
        gone_on.clear()
        connection = say(known.port, whole[:cut])
        if not at_once:
            assert gone_on.wait(SECONDS)
        connection.sendall(whole[cut:])
        assert b" 200 OK" in hear(connection)
    connection = say(known.port, whole[:20])
    connection.sendall(whole[20:])
    assert b" 200 OK" in hear(connection)
    assert (len(taken), stored()) == (4 if at_once else 1, 2)


def test_a_large_update_goes_the_ordinary_way(known: Served, taken: list[bytes]) -> None:
    body = b'{"update_id": 2, "poll": {"text": "%b"}}' % (b"x" * 200_000)
    head = b"POST /telegram/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b%b\r\n" % (len(body), SECRET, LAST)
    connection = say(known.port, head, body[:100_000])
    connection.sendall(body[100_000:])
    assert b" 200 OK" in hear(connection)
    assert stored() == 2


def test_one_that_goes_away_in_the_middle_leaves_nothing(known: Served, taken: list[bytes]) -> None:
    whole = request(2)
    say(known.port, whole[:-5]).close()
    assert b" 200 OK" in hear(say(known.port, request(3, more=LAST)))
    assert (len(taken), stored()) == (1, 2)


def test_a_stop_in_the_middle_of_an_update_waits_for_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_PATIENCE_SECONDS", 60.0)
    begun, stopping, whole = threading.Event(), threading.Event(), request(2, more=LAST)
    on_headers, stop = protocol.FastProtocol.on_headers_complete, protocol.FastProtocol.shutdown

    def headers(self: protocol.FastProtocol) -> None:
        on_headers(self)
        begun.set()

    def shutdown(self: protocol.FastProtocol) -> None:
        stop(self)
        stopping.set()

    def send_the_rest(connection: socket.socket) -> None:
        assert stopping.wait(SECONDS)
        connection.sendall(whole[-5:])

    with serving(AsgiApplication(app)) as port:
        assert b" 200 OK" in hear(say(port, request(1, more=LAST)))
        monkeypatch.setattr(protocol.FastProtocol, "on_headers_complete", headers)
        monkeypatch.setattr(protocol.FastProtocol, "shutdown", shutdown)
        connection = say(port, whole[:-5])
        assert begun.wait(SECONDS)
        sender = threading.Thread(target=send_the_rest, args=(connection,))
        sender.start()
    sender.join(SECONDS)
    assert b" 200 OK" in hear(connection)
    assert stored() == 2


def test_one_connection_is_used_again_and_again(known: Served, taken: list[bytes]) -> None:
    connection = say(known.port)
    connection.settimeout(SECONDS)
    for number in range(2, 22):
        connection.sendall(request(number))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
    connection.close()
    assert (len(taken), stored()) == (20, 21)


def test_requests_that_do_not_wait_are_answered_in_their_order(known: Served, taken: list[bytes]) -> None:
    """Two updates, something that Flask answers, and another update, in one piece."""
    other = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    heard = hear(say(known.port, request(2) + request(3) + other + request(4, more=LAST)))
    bodies = [piece.partition(b"\r\n\r\n")[2] for piece in heard.split(b"HTTP/1.1 ")[1:]]
    assert len(bodies) == 4
    assert [b'"ok":true' in body for body in bodies] == [True, True, False, True]
    assert stored() == 4


def test_a_client_that_goes_before_its_answer_harms_nobody(known: Served, commits_go_on: threading.Event) -> None:
    gone = say(known.port, request(2))
    gone.close()
    stays = say(known.port, request(3, more=LAST))
    commits_go_on.set()
    assert b" 200 OK" in hear(stays)
    eventually(lambda: stored() == 3, "what was handed over is stored, whoever waits for it")


def test_a_database_that_is_away_is_said_to_each_and_the_connection_stays(
    known: Served, taken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, down = batcher.insert, [True]

    def away(*arguments: Any) -> Any:
        if down[0]:
            raise OperationalError("", {}, Exception("away"))
        return real(*arguments)

    monkeypatch.setattr(batcher, "insert", away)
    connection = say(known.port, request(2))
    connection.settimeout(SECONDS)
    assert connection.recv(65536).startswith(b"HTTP/1.1 503 ")
    down[0] = False
    connection.sendall(request(2))
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.close()
    assert (len(taken), stored()) == (2, 2)


def test_a_line_names_the_requests_that_were_answered_together(known: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(fast_path.log, "info", lambda _event, **fields: lines.append(fields))
    heads = [hear(say(known.port, request(number, more=LAST))).decode() for number in (2, 3, 4)]
    heard = {head.partition("x-request-id: ")[2][:32] for head in heads}
    assert len(heard) == 3

    def named() -> set[Any]:
        return {one for line in list(lines) for one in line.get("request_ids", [line.get("request_id")])}

    eventually(lambda: named() == heard, "the lines, which come right after the answers")
    assert {(line["status"], line["route"]) for line in lines} == {(200, "/telegram/webhook")}


def test_a_connection_that_breaks_behind_an_update_stops_nothing(
    known: Served, taken: list[bytes], commits_go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update, something else, and nonsense in one piece: the server closes before the update is committed."""
    nonsense = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + b"\x00nonsense\r\n\r\n"
    with monkeypatch.context() as impatient:
        impatient.setattr("backend.asgi.webhooks.endpoint.MAX_SECONDS", 0.2)
        hear(say(known.port, request(2) + nonsense))
        waits = say(known.port, request(3, more=LAST))
        assert b" 503 " in hear(waits), "it is still told in time that the database is away"
    commits_go_on.set()
    eventually(lambda: stored() == 3, "both are stored")
    assert b" 200 OK" in hear(say(known.port, request(4, more=LAST)))
    assert len(taken) == 3


def test_one_that_cannot_be_answered_keeps_no_other_from_its_answer(
    known: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = protocol.FastRequest.answer
    failed: list[protocol.FastRequest] = []

    def answer(self: protocol.FastRequest, *arguments: Any) -> str:
        if not failed:
            failed.append(self)
            raise RuntimeError("a defect")
        return real(self, *arguments)

    monkeypatch.setattr(protocol.FastRequest, "answer", answer)
    first = say(known.port, request(2))
    eventually(lambda: failed, "the defect")
    assert b" 200 OK" in hear(say(known.port, request(3, more=LAST)))
    first.close()
