"""Webhooks natively: the same answers as Flask gives, and the same rows."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from backend.asgi.webhooks.addresses import Address
from backend.asgi.webhooks.endpoint import Webhooks
from backend.core.database import db, system_scope
from backend.models import WebhookEvent
from backend.services.intake import batcher
from backend.services.senders import webhook_verifier
from tests.asgi.conftest import Served
from tests.http import callers
from tests.support import factories
from tests.support.serving import ask, eventually, hear, say

SECRET = {"X-Telegram-Bot-Api-Secret-Token": "test-webhook-secret"}
UPDATE = b'{"update_id": 1, "message": {"message_id": 5, "date": 1, "chat": {"id": 7, "type": "private"}}}'


def stored() -> list[tuple[str, str | None]]:
    with system_scope("test"):
        rows = db.session.execute(select(WebhookEvent.state, WebhookEvent.error).order_by(WebhookEvent.id)).all()
        db.session.rollback()
    return [(row.state, row.error) for row in rows]


def both(served: Served, client: FlaskClient, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """Asks the front and Flask; what both answer."""
    one = ask(served.port, "POST", path, body, **headers)
    other = client.post(path, data=body, headers=headers)
    assert (one.status, json.loads(one.content)) == (other.status_code, other.get_json())  # type: ignore[attr-defined]
    for name in ("content-type", "x-content-type-options", "cache-control", "www-authenticate", "retry-after"):
        assert one.headers.get(name) == other.headers.get(name), name
    assert len(one.headers["x-request-id"]) == 32
    return one.status, json.loads(one.content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/telegram/webhook", "/telegram/webhook/"])
def test_an_update_is_stored_once_and_taken_each_time(served: Served, client: FlaskClient, path: str) -> None:
    assert both(served, client, path, UPDATE, **SECRET) == (200, {"ok": True})
    assert stored() == [("new", None)]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_bot_of_its_own_has_its_own_door(served: Served, client: FlaskClient, slash: str) -> None:
    bot = factories.bot(factories.workspace(), secret="a-secret-of-its-own")
    callers.commit()
    path = f"/api/telegram/webhook/{bot.id}{slash}"
    own = {"X-Telegram-Bot-Api-Secret-Token": "a-secret-of-its-own"}
    assert both(served, client, path, UPDATE, **own) == (200, {"ok": True})
    assert both(served, client, path, UPDATE, **SECRET)[0] == 401
    assert len(stored()) == 1


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/telegram/webhook", {}, UPDATE, 401),
        ("/telegram/webhook", {"X-Telegram-Bot-Api-Secret-Token": "wrong"}, UPDATE, 401),
        ("/api/telegram/webhook/99", SECRET, UPDATE, 404),
        ("/telegram/webhook", SECRET, b"x" * (1024 * 1024 + 1), 413),
        ("/telegram/webhook", {}, b"x" * (1024 * 1024 + 1), 401),
        ("/api/telegram/webhook/99999999999999999999", SECRET, UPDATE, 404),
    ],
)
def test_what_is_refused_is_refused_as_by_flask_and_changes_nothing(
    served: Served, client: FlaskClient, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert both(served, client, path, body, **headers)[0] == status
    assert stored() == []


def test_what_cannot_be_read_is_kept_aside(served: Served, client: FlaskClient) -> None:
    assert both(served, client, "/telegram/webhook", b"\xff not json", **SECRET) == (200, {"ok": True})
    assert stored() == [("parked", "unparsable")]


def test_other_methods_are_flasks(served: Served) -> None:
    assert ask(served.port, "GET", "/telegram/webhook").status == 405


def test_a_body_in_chunks_over_the_bound_is_refused(served: Served) -> None:
    head = b"POST /telegram/webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    head += b"X-Telegram-Bot-Api-Secret-Token: test-webhook-secret\r\n\r\n"
    heard = hear(say(served.port, head, b"100001\r\n" + b"x" * 0x100001 + b"\r\n0\r\n\r\n"))
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert stored() == []


def test_a_database_that_is_away_is_said_so_that_the_provider_repeats(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object) -> bool:
        raise OperationalError("", {}, Exception("away"))

    monkeypatch.setattr(batcher, "insert", away)
    answer = ask(served.port, "POST", "/telegram/webhook", UPDATE, **SECRET)
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert json.loads(answer.content)["error"]["code"] == "database_unavailable"  # type: ignore[attr-defined]


def test_a_database_that_is_away_when_the_door_is_not_known_is_said_too(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object) -> None:
        raise OperationalError("", {}, Exception("away"))

    webhook_verifier.forget()
    monkeypatch.setattr(webhook_verifier, "environment_sender", away)
    assert ask(served.port, "POST", "/telegram/webhook", UPDATE, **SECRET).status == 503


def test_a_commit_that_does_not_come_is_not_waited_for_for_ever(
    served: Served, commits_go_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits_go_on.set()
    assert ask(served.port, "POST", "/telegram/webhook", UPDATE, **SECRET).status == 200
    commits_go_on.clear()
    late = UPDATE.replace(b"1,", b"2,", 1)
    with monkeypatch.context() as impatient:
        impatient.setattr("backend.asgi.webhooks.endpoint.MAX_SECONDS", 0.2)
        answer = ask(served.port, "POST", "/telegram/webhook", late, **SECRET)
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    commits_go_on.set()
    eventually(lambda: len(stored()) == 2, "what was not acknowledged may be stored all the same")
    again = ask(served.port, "POST", "/telegram/webhook", late, **SECRET)
    assert (again.status, len(stored())) == (200, 2)


def test_a_defect_is_an_error_without_its_detail(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_arguments: object) -> bool:
        raise ValueError("a secret detail")

    monkeypatch.setattr(batcher, "insert", defect)
    answer = ask(served.port, "POST", "/telegram/webhook", UPDATE, **SECRET)
    assert answer.status == 500
    assert b"secret" not in answer.content  # type: ignore[attr-defined]


def test_the_scope_and_the_session_are_left_clean(served: Served) -> None:
    for number in range(20):
        body = UPDATE.replace(b"1,", b"%d," % (number + 10), 1)
        assert ask(served.port, "POST", "/telegram/webhook", body, **SECRET).status == 200
    with system_scope("test"):
        assert db.session.scalar(select(func.count()).select_from(WebhookEvent)) == 20
        db.session.rollback()


def test_many_requests_for_a_bot_that_is_not_remembered_wait_for_one_look_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    looked: list[int | None] = []
    go_on = threading.Event()
    real_wait, real_look = Webhooks._looked_up, Webhooks._look

    def looked_up(self: Webhooks, address: Address) -> Any:
        asked.append(address.sender_id)
        return real_wait(self, address)

    def look(self: Webhooks, channel: str, bot_id: int | None) -> Any:
        looked.append(bot_id)
        go_on.wait()
        return real_look(self, channel, bot_id)

    monkeypatch.setattr(Webhooks, "_looked_up", looked_up)
    monkeypatch.setattr(Webhooks, "_look", look)
    head = b"POST /telegram/webhook HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n" % len(UPDATE)
    head += b"X-Telegram-Bot-Api-Secret-Token: test-webhook-secret\r\n\r\n"
    many = [say(served.port, head + UPDATE) for _ in range(200)]
    strangers = [
        say(served.port, head.replace(b"/telegram/webhook", b"/api/telegram/webhook/%d" % n)) for n in range(90)
    ]
    try:
        eventually(lambda: len(asked) == 290, "all of them to have arrived")
        eventually(lambda: len(looked) == 3, "as many look-ups as there are threads for them")
        assert looked.count(None) == 1
        assert ask(served.port, path="/health").status == 200
    finally:
        go_on.set()
    assert all(hear(connection).startswith(b"HTTP/1.1 200 ") for connection in many)
    answers = {hear(connection).split(b" ")[1] for connection in strangers}
    # On a busy machine the body of one may not have been read in its time.
    assert {b"404", b"503"} <= answers <= {b"404", b"408", b"503"}
    assert len(stored()) == 1
    assert looked.count(None) == 1
