"""Sending: at least once, signed, with backoff, and no endpoint holds another."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import func, update
from sqlalchemy.exc import OperationalError

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.egress import Egress
from backend.models import OutgoingDelivery, OutgoingWebhook, Workspace
from backend.services import outgoing_webhooks
from backend.services.outgoing_webhooks import endpoint_requests, sending
from backend.services.outgoing_webhooks.retry_policy import MAX_WAITS
from tests.channels.scripted_server import ScriptedServer, answer, drop, hang, scripted_server
from tests.services.outgoing_webhooks.conftest import EVENT, Endpoint
from tests.services.outgoing_webhooks.sent import OK, again, deliveries, emit, send


def test_what_happened_is_told_signed_and_in_one_form(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    webhook = endpoint(receiver)
    receiver.script = [OK]
    assert emit(home, text="가 😀") == 1
    send()
    got = receiver.received[0]
    assert (got.method, got.path) == ("POST", "/hook?key=shh")
    body = got.json
    assert body["type"] == EVENT
    assert body["version"] == 1
    assert body["workspace_id"] == home.id
    assert body["data"] == {"text": "가 😀"}
    assert body["id"] == got.headers["switchboard-event-id"]
    fields = [part.split("=", 1) for part in got.headers["switchboard-signature"].split(",")]
    stamp = dict(fields)["t"]
    assert abs(int(stamp) - time.time()) < 30
    expected = hmac.new(webhook.secret.encode(), stamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert [value for name, value in fields if name == "v1"] == [expected]
    [row] = deliveries()
    assert (row.state, row.attempts, row.status, row.reason) == ("delivered", 1, 200, None)


def test_only_those_who_listen_are_told_and_each_once(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    endpoint(receiver, "test.*")
    endpoint(receiver, "webhook.test")
    assert emit(home) == 1
    assert emit(home) == 1, "the same key is the same event"
    assert emit(home, key="other") == 1
    assert len(deliveries()) == 2
    assert len({row.event_id for row in deliveries()}) == 2


def test_a_rollback_takes_the_event_with_it(home: Workspace, endpoint: Endpoint, receiver: ScriptedServer) -> None:
    endpoint(receiver)
    outgoing_webhooks.emit(home.id, EVENT, {}, key="k")
    db.session.rollback()
    assert deliveries() == []
    assert not outgoing_webhooks.WORK.is_due()


def test_a_failed_try_is_made_again_later_with_the_same_event(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    webhook = endpoint(receiver)
    receiver.script = [answer(503, b"", keep=False), drop, OK]
    emit(home)
    send()
    [row] = deliveries()
    assert (row.state, row.reason, row.attempts) == ("due", "http_503", 1)
    assert row.due_at == pytest.approx(clock.now() + timedelta(seconds=10), abs=timedelta(seconds=5))
    send()
    assert len(receiver.received) == 1, "not before its time"
    clock.move(11)
    send()
    assert again(webhook).failures == 2
    clock.move(31)
    send()
    [row] = deliveries()
    assert (row.state, row.attempts) == ("delivered", 3)
    assert len({json.loads(got.body)["id"] for got in receiver.received}) == 1
    assert len({got.body for got in receiver.received}) == 1
    stamps = {got.headers["switchboard-signature"] for got in receiver.received}
    assert len(stamps) == 3, "each try has its own timestamp"
    tries = outgoing_webhooks.attempts_of(row)
    assert [(one.status, one.code) for one in tries] == [(503, "http_503"), (None, "connection_lost"), (200, None)]
    assert all(one.duration_ms >= 0 for one in tries)
    assert again(webhook).failures == 0


def test_a_process_that_dies_before_it_recorded_leaves_the_try_to_the_next(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = endpoint(receiver)
    receiver.script = [OK, OK]
    emit(home)
    # As a dead process does: nothing is recorded, and nothing is given back.
    with monkeypatch.context() as dying:
        dying.setattr(sending, "_record", _raising(OperationalError("COMMIT", {}, Exception("connection is lost"))))
        send()
    assert not outgoing_webhooks.WORK.is_due(), "the dead one's lease still runs"
    with system_scope("test"):
        db.session.execute(update(OutgoingWebhook).values(served_until=func.clock_timestamp()))
        db.session.commit()
    assert outgoing_webhooks.WORK.is_due()
    send()
    assert [row.state for row in deliveries()] == ["delivered"]
    assert len({got.headers["switchboard-event-id"] for got in receiver.received}) == 1
    assert len(receiver.received) == 2
    assert again(webhook).failures == 0


def _raising(error: Exception) -> Any:
    def raise_it(*_: Any) -> None:
        raise error

    return raise_it


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("99999999999999", 3600),
        ("9" * 400, 3600),
        ("1e400", 3600),
        ("120", 120),
        ("120, 120", 120),
        ("inf", 10),
        ("nan", 10),
        ("-99999999999999", 10),
        ("soon", 10),
        ("Thu, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 10),
        ("Mon, 99 Zzz 99999 00:00:00 GMT", 10),
    ],
)
def test_whatever_an_endpoint_asks_for_it_is_asked_again_within_the_hour(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer, asked: str, seconds: int
) -> None:
    webhook = endpoint(receiver)
    receiver.script = [answer(503, b"", {"Retry-After": asked}, keep=False)]
    emit(home)
    send()
    [row] = deliveries()
    assert (row.state, row.reason, row.attempts) == ("due", "http_503", 1)
    assert round((row.due_at - clock.now()).total_seconds(), -1) == seconds
    assert again(webhook).rest_until is not None
    send()
    assert len(receiver.received) == 1


def test_a_date_to_wait_for_is_kept(home: Workspace, endpoint: Endpoint, receiver: ScriptedServer) -> None:
    endpoint(receiver)
    date = format_datetime(clock.now() + timedelta(minutes=10), usegmt=True)
    receiver.script = [answer(429, b"", {"Retry-After": date}, keep=False)]
    emit(home)
    send()
    [row] = deliveries()
    assert timedelta(minutes=9) < row.due_at - clock.now() <= timedelta(minutes=10)


@pytest.mark.parametrize("fault", [OverflowError("a date"), SystemError("a defect"), KeyError("status")])
def test_a_try_that_cannot_be_recorded_moves_the_due_time_all_the_same(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    webhook = endpoint(receiver)
    receiver.script = [OK, OK]
    emit(home)
    with monkeypatch.context() as broken:
        broken.setattr(sending, "decide", lambda *_, **__: _raising(fault)())
        for _ in range(3):
            send()
    assert len(receiver.received) == 1
    [row] = deliveries()
    assert (row.state, row.reason, row.attempts) == ("due", "internal_error", 1)
    assert row.due_at > clock.now()
    clock.move(15)
    db.session.execute(update(OutgoingWebhook).values(served_until=func.clock_timestamp()))
    send()
    assert [one.state for one in deliveries()] == ["delivered"]
    assert again(webhook).failures == 0


def test_a_try_that_can_never_be_recorded_ends(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint(receiver)
    receiver.script = [OK]
    emit(home)
    db.session.execute(update(OutgoingDelivery).values(attempts=MAX_WAITS))
    monkeypatch.setattr(sending, "_record", _raising(ValueError("a defect")))
    send()
    [row] = deliveries()
    assert (row.state, row.reason) == ("failed", "internal_error")
    assert row.ended_at is not None


def test_a_defect_in_asking_is_a_failed_try(
    home: Workspace, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, receiver: ScriptedServer
) -> None:
    webhook = endpoint(receiver)
    emit(home)
    monkeypatch.setattr(Egress, "fetch", _raising(RecursionError()))
    send()
    [row] = deliveries()
    assert (row.state, row.reason, row.attempts) == ("due", "internal_error", 1)
    assert again(webhook).failures == 1


def _allowing() -> Any:
    from backend.core import config

    return config.get().model_copy(update={"egress_allow_private": True})


def test_an_endpoint_that_hangs_holds_neither_the_job_nor_the_others(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(endpoint_requests.TIMEOUTS, "webhook", 20.0)
    with scripted_server() as stuck:
        endpoint(stuck)
        endpoint(receiver)
        stuck.script = [hang]
        receiver.script = [OK] * 5
        for number in range(5):
            emit(home, key=str(number))
        done: list[str] = []
        for _ in range(60):
            send(1.0)
            done = [row.state for row in deliveries()]
            if done.count("delivered") == 5:
                break
        assert done.count("delivered") == 5
        assert len(stuck.received) == 1, "one at a time"
        assert not outgoing_webhooks.WORK.is_due(), "what hangs is being served"
    assert sending._POOL.wait(60)
    assert [row.reason for row in deliveries() if row.state == "due" and row.attempts] == ["connection_lost"]


def test_an_endpoint_that_is_away_rests_as_a_whole_and_catches_up(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    endpoint(receiver)
    receiver.script = [drop]
    for number in range(4):
        emit(home, key=str(number))
    send()
    assert len(receiver.received) == 1, "the others do not knock as well"
    clock.move(6)
    receiver.script = [OK] * 4
    send()
    send()
    assert [row.state for row in deliveries()] == ["delivered"] * 4


def test_one_event_that_is_refused_does_not_hold_the_next(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    endpoint(receiver)
    receiver.script = [answer(400, b"", keep=False), OK]
    emit(home, key="1")
    emit(home, key="2")
    send()
    assert [(row.state, row.reason) for row in deliveries()] == [("due", "http_400"), ("delivered", None)]
