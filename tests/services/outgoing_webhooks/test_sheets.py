"""Endpoints that are deployed Apps Scripts, against a server that behaves as Google's do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.models import OutgoingAttempt, OutgoingWebhook, Workspace
from backend.services import outgoing_webhooks
from backend.services.outgoing_webhooks import endpoint_requests, signing
from tests.channels.scripted_server import ScriptedServer, Step, answer, drop
from tests.services.outgoing_webhooks.sent import deliveries, emit, send
from tests.support import factories

OK = answer(200, {"ok": True}, keep=False)


def redirect(server: ScriptedServer, path: str = "/echo?key=once") -> Step:
    return answer(302, b"", {"Location": f"{server.url}{path}"}, keep=False)


@pytest.fixture
def script(home: Workspace, private_allowed: None, receiver: ScriptedServer) -> tuple[OutgoingWebhook, str]:
    """An endpoint that is a script, and its secret."""
    by, url = factories.by("user:1"), f"{receiver.url}/macros/s/demo/exec"
    webhook, secret = outgoing_webhooks.create(by, url, ["*"], kind="sheets")
    db.session.commit()
    return webhook, secret


def attempts() -> list[OutgoingAttempt]:
    return list(db.session.scalars(select(OutgoingAttempt).order_by(OutgoingAttempt.id)))


@pytest.mark.usefixtures("script")
def test_a_script_is_run_once_and_its_answer_fetched(home: Workspace, receiver: ScriptedServer) -> None:
    receiver.script = [redirect(receiver), OK]
    emit(home, text="=SUM(1)")
    send()
    assert [delivery.state for delivery in deliveries()] == ["delivered"]
    run, fetch = receiver.received
    assert (run.method, run.path) == ("POST", "/macros/s/demo/exec")
    assert (fetch.method, fetch.path, fetch.body) == ("GET", "/echo?key=once", b"")
    assert not any(name.startswith("switchboard") for name in [*run.headers, *fetch.headers])


def test_the_signature_is_in_the_body_over_the_payload_as_it_is_written(
    home: Workspace, receiver: ScriptedServer, script: tuple[OutgoingWebhook, str]
) -> None:
    receiver.script = [redirect(receiver), OK]
    emit(home, text="한글 <b>")
    send()
    sent = receiver.received[0].json
    payload = json.loads(sent["payload"])
    assert payload["data"] == {"text": "한글 <b>"}
    assert {name: payload[name] for name in ("id", "type", "version", "created_at", "workspace_id", "sequence")} == {
        name: value for name, value in sent.items() if name not in ("payload", "signature")
    }
    moment = int(sent["signature"].partition(",")[0].removeprefix("t="))
    assert sent["signature"] == signing.header([script[1]], moment, sent["payload"].encode())
    assert abs(moment - clock.unix()) < 60


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize(
    ("steps", "code", "detail"),
    [
        ([answer(200, b"<html><title>TypeError:\n x</title></html>", keep=False)], "no_json", "TypeError: x"),
        ([answer(200, b"<title>Sign in</title> accounts.google.com", keep=False)], "sign_in_page", "Sign in"),
        ([answer(200, {"ok": False, "error": "locked"}, keep=False)], "not_ok", "locked"),
        ([answer(200, {"ok": "yes"}, keep=False)], "not_ok", None),
        ([answer(200, b"", keep=False)], "no_json", None),
        ([answer(404, b"<title>Gone</title>", keep=False)], "http_404", None),
        ([drop], "connection_lost", None),
    ],
)
def test_a_script_that_does_not_say_that_it_worked_is_asked_again(
    home: Workspace, receiver: ScriptedServer, steps: list[Step], code: str, detail: str | None
) -> None:
    receiver.script = [redirect(receiver), *steps]
    emit(home)
    send()
    (delivery,) = deliveries()
    assert (delivery.state, delivery.reason, delivery.attempts) == ("due", code, 1)
    (attempt,) = attempts()
    assert (attempt.code, attempt.detail) == (code, detail)


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize(
    "location",
    [
        "https://example.com/echo",
        "https://script.googleusercontent.com.example.com/echo",
        "http://script.googleusercontent.com/echo",
        "https://script.googleusercontent.com:8443/echo",
        "/macros/s/demo/exec",
        "http://[bad",
        "",
    ],
)
def test_only_the_content_host_is_followed(home: Workspace, receiver: ScriptedServer, location: str) -> None:
    receiver.script = [answer(302, b"", {"Location": location}, keep=False)]
    emit(home)
    send()
    (delivery,) = deliveries()
    assert (delivery.state, delivery.reason) == ("due", "redirected")
    assert len(receiver.received) == 1


@pytest.mark.usefixtures("script")
def test_a_second_redirect_is_not_followed(home: Workspace, receiver: ScriptedServer) -> None:
    receiver.script = [redirect(receiver), redirect(receiver, "/elsewhere")]
    emit(home)
    send()
    assert [delivery.reason for delivery in deliveries()] == ["redirected"]
    assert len(receiver.received) == 2


def test_googles_content_host_is_followed_without_leave_for_private_addresses() -> None:
    request = endpoint_requests.EndpointRequest(1, "sheets", "https://script.google.com/macros/s/x/exec", {}, b"")
    place = "https://script.googleusercontent.com/macros/echo?user_content_key=x"
    assert endpoint_requests._content_address(request, place) == place
    assert endpoint_requests._content_address(request, "https://script.google.com/elsewhere") is None


def test_a_lease_outlasts_the_time_that_an_endpoint_has() -> None:
    for kind, seconds in endpoint_requests.TIMEOUTS.items():
        assert endpoint_requests.LEASES[kind].total_seconds() > seconds * 1.5


def test_events_are_numbered_in_their_order(home: Workspace, script: Any) -> None:
    for key in "abc":
        emit(home, key)
    sequence = [json.loads(delivery.body)["sequence"] for delivery in deliveries()]
    assert sequence == sorted(set(sequence))
