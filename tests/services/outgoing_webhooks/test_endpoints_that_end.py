"""Endpoints that lead elsewhere, are gone or switched off, and what is asked of them by hand."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.errors import Conflict
from backend.models import AuditEntry, OutgoingAttempt, Workspace
from backend.services import outgoing_webhooks
from backend.services.outgoing_webhooks import endpoints
from tests.channels.scripted_server import ScriptedServer, answer, drop, free_port
from tests.services.outgoing_webhooks.conftest import EVENT, Endpoint
from tests.services.outgoing_webhooks.sent import OK, again, deliveries, emit, send
from tests.support import factories


def test_a_redirect_is_not_followed(home: Workspace, endpoint: Endpoint, receiver: ScriptedServer) -> None:
    endpoint(receiver)
    receiver.script = [answer(307, b"", {"Location": f"{receiver.url}/elsewhere"}, keep=False)]
    emit(home)
    send()
    assert [row.reason for row in deliveries()] == ["redirected"]
    assert len(receiver.received) == 1


def test_an_address_that_became_private_is_not_asked(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint(receiver)
    emit(home)
    from backend.core import config

    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"egress_allow_private": False}))
    send()
    assert [row.reason for row in deliveries()] == ["private_address"]
    assert receiver.received == []


def test_an_endpoint_that_is_gone_is_switched_off_and_can_be_brought_back(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    webhook = endpoint(receiver)
    receiver.script = [answer(410, b"", keep=False)]
    emit(home, key="1")
    emit(home, key="2")
    send()
    webhook = again(webhook)
    assert (webhook.enabled, webhook.disabled_code) == (True, "gone")
    assert [(row.state, row.reason) for row in deliveries()] == [
        ("failed", "http_410"),
        ("failed", "endpoint_disabled"),
    ]
    actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "system")).all()
    assert actions == ["webhook.disabled"]
    assert emit(home, key="3") == 0, "nothing is stored for it meanwhile"
    with pytest.raises(Conflict):
        outgoing_webhooks.replay(factories.by("user:1"), deliveries()[1].id)
    second = deliveries()[1].id
    outgoing_webhooks.change(factories.by("user:1"), webhook.id, {"enabled": True})
    outgoing_webhooks.replay(factories.by("user:1"), second)
    receiver.script = [OK]
    send()
    assert deliveries()[1].state == "delivered"


def test_one_that_fails_for_days_is_switched_off_with_the_reason(
    home: Workspace, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = endpoint(f"http://127.0.0.1:{free_port()}/hook")
    emit(home)
    for number in range(40):
        send()
        clock.move(6 * 3600)
        emit(home, key=f"more{number}")
        if again(webhook).disabled_code:
            break
    assert again(webhook).disabled_code == "failing_for_long"
    assert {row.state for row in deliveries()} == {"failed"}
    assert 72 <= number * 6 <= 120


def test_a_delivered_event_can_be_sent_again(home: Workspace, endpoint: Endpoint, receiver: ScriptedServer) -> None:
    endpoint(receiver)
    receiver.script = [OK, OK]
    emit(home)
    send()
    [row] = deliveries()
    outgoing_webhooks.replay(factories.by("user:1"), row.id)
    send()
    assert len(receiver.received) == 2
    assert receiver.received[0].body == receiver.received[1].body
    [row] = deliveries()
    assert row.state == "delivered"
    assert db.session.execute(select(func.count()).select_from(OutgoingAttempt)).scalar_one() == 2


def test_after_a_rotation_both_secrets_sign_for_a_day(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    webhook = endpoint(receiver)
    old = webhook.secret
    _, new = outgoing_webhooks.rotate_secret(factories.by("user:1"), webhook.id)
    receiver.script = [OK, OK]
    emit(home, key="1")
    send()
    clock.move(25 * 3600)
    emit(home, key="2")
    send()
    assert old != new
    assert [got.headers["switchboard-signature"].count("v1=") for got in receiver.received] == [2, 1]


def test_an_endpoint_that_is_switched_off_or_removed_gets_nothing_more(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    first, second = endpoint(receiver), endpoint(receiver)
    emit(home)
    outgoing_webhooks.change(factories.by("user:1"), first.id, {"enabled": False})
    outgoing_webhooks.remove(factories.by("user:1"), second.id)
    send()
    assert receiver.received == []
    assert [(row.webhook_id, row.reason) for row in deliveries()] == [(first.id, "endpoint_off")]


def test_a_test_goes_to_the_endpoint_whatever_it_listens_to(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer
) -> None:
    webhook = endpoint(receiver, EVENT)
    made = outgoing_webhooks.send_test(factories.by("user:1"), webhook.id)
    receiver.script = [OK]
    send()
    assert receiver.received[0].json["type"] == "webhook.test"
    assert deliveries()[0].id == made.id


def test_logs_hold_no_addresses_and_no_bodies(
    home: Workspace, endpoint: Endpoint, receiver: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint(receiver)
    receiver.script = [drop]
    emit(home, text="private words")
    send()
    said = capsys.readouterr()
    assert "shh" not in said.out + said.err
    assert "private words" not in said.out + said.err
    with system_scope("test"):
        details = [str(entry.detail) for entry in db.session.scalars(select(AuditEntry))]
    assert not any("shh" in detail for detail in details)


def test_disabling_publishes_nothing_about_the_address(home: Workspace, endpoint: Endpoint) -> None:
    webhook = endpoint("http://127.0.0.1:9999/x")
    endpoints.disable(webhook, "gone")
    db.session.commit()
    assert again(webhook).disabled_at is not None
