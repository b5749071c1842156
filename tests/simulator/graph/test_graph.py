"""The simulated Graph API: tokens, subscriptions, signed deliveries, faults."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.channels.scripted_server import ScriptedServer, answer, scripted_server
from tests.support.graph_box import APP_ID, APP_SECRET, TOKEN, GraphBox
from tests.support.installation import wait_for
from tests.support.telegram_box import JSON, TelegramBox

NUMBER, WABA, PERSON = "300000000000009", "200000000000009", "821000000009"


@pytest.fixture(scope="module")
def box() -> Iterator[TelegramBox]:
    with TelegramBox() as started:
        yield started


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def graph(box: TelegramBox, web: ScriptedServer) -> GraphBox:
    box_of_graph = GraphBox(box)
    box_of_graph.control("POST", "/reset", {})
    box_of_graph.application(webhooks={"whatsapp_business_account": {"url": f"{web.url}/hook", "verify_token": "t"}})
    box_of_graph.number(NUMBER, WABA)
    box_of_graph.person(NUMBER, name="Mina", number=PERSON, bsuid="KR.MINA1", last_inbound=10)
    return box_of_graph


def bodies(web: ScriptedServer, count: int) -> list[Any]:
    wait_for(lambda: len(web.received) >= count, 10, f"{count} deliveries")
    return [request.json for request in web.received]


def test_a_delivery_is_signed_over_its_raw_bytes(graph: GraphBox, web: ScriptedServer) -> None:
    web.script += [answer(200, b"")] * 3
    graph.inbound(NUMBER, PERSON, "안녕 50% /a")
    bodies(web, 1)
    request = web.received[0]
    expected = "sha256=" + hmac.new(APP_SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-hub-signature-256"] == expected
    assert rb"\uc548" in request.body
    assert rb"50\u0025 \/a" in request.body
    value = request.json["entry"][0]["changes"][0]["value"]
    assert value["metadata"]["phone_number_id"] == NUMBER
    assert value["messages"][0]["text"]["body"] == "안녕 50% /a"
    assert value["contacts"][0]["user_id"] == "KR.MINA1"


def test_what_is_refused_comes_again_and_holds_nothing_up(graph: GraphBox, web: ScriptedServer) -> None:
    graph.control("PATCH", "/settings", {"speed": 50.0})
    web.script += [answer(500, b""), answer(200, b""), answer(200, b"")]
    graph.inbound(NUMBER, PERSON, "one")
    graph.inbound(NUMBER, PERSON, "two")
    texts = [body["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] for body in bodies(web, 3)]
    assert sorted(texts) == ["one", "one", "two"]
    wait_for(lambda: graph.control("GET", "/deliveries")["waiting"] == 0, 5, "nothing to wait")


def test_events_are_batched(graph: GraphBox, web: ScriptedServer) -> None:
    graph.control("PATCH", "/settings", {"batch_items": 10, "batch_wait": 0.3})
    web.script += [answer(200, b"")] * 3
    for place in range(5):
        graph.inbound(NUMBER, PERSON, str(place))
    changes = bodies(web, 1)[0]["entry"][0]["changes"]
    assert [change["value"]["messages"][0]["text"]["body"] for change in changes] == list("01234")


def test_a_page_is_unsubscribed_after_an_hour_of_failures(graph: GraphBox, web: ScriptedServer) -> None:
    graph.control("PATCH", "/settings", {"speed": 7200.0})
    hook = {"page": {"url": f"{web.url}/page", "verify_token": "t"}}
    graph.control("POST", "/applications", {"id": APP_ID, "secret": APP_SECRET, "webhooks": hook})
    graph.control("POST", "/objects", {"kind": "page", "id": "400000000000009"})
    graph.control("POST", "/objects/400000000000009/subscribe", {"app_id": APP_ID, "fields": ["messages"]})
    graph.control(
        "POST", "/objects/400000000000009/emit", {"field": "messages", "slot": "messaging", "value": {"a": 1}}
    )
    wait_for(lambda: graph.log(outcome="unsubscribed") != [], 10, "the end of the subscription")
    assert graph.call("GET", "400000000000009/subscribed_apps").json() == {"data": []}


def test_a_send_is_answered_and_its_states_follow(graph: GraphBox, web: ScriptedServer) -> None:
    web.script += [answer(200, b"")] * 5
    given: JSON = {"messaging_product": "whatsapp", "to": PERSON, "type": "text", "text": {"body": "hi"}}
    sent = graph.call("POST", f"{NUMBER}/messages", **given, biz_opaque_callback_data="ref-1").json()
    wamid = sent["messages"][0]["id"]
    assert sent["contacts"] == [{"input": PERSON, "wa_id": PERSON}]
    states = [body["entry"][0]["changes"][0]["value"]["statuses"][0] for body in bodies(web, 2)]
    assert [(state["id"], state["status"]) for state in states] == [(wamid, "sent"), (wamid, "delivered")]
    assert {state["biz_opaque_callback_data"] for state in states} == {"ref-1"}


def test_outside_of_the_window_a_send_fails_late(graph: GraphBox, web: ScriptedServer) -> None:
    web.script += [answer(200, b"")] * 5
    graph.person(NUMBER, number=PERSON, last_inbound=90_000)
    given: JSON = {"messaging_product": "whatsapp", "to": PERSON, "type": "text", "text": {"body": "hi"}}
    assert graph.call("POST", f"{NUMBER}/messages", **given).status_code == 200
    status = bodies(web, 1)[0]["entry"][0]["changes"][0]["value"]["statuses"][0]
    assert (status["status"], status["errors"][0]["code"]) == ("failed", 131047)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"to": PERSON, "type": "text", "text": {"body": "x" * 4097}}, 100),
        ({"to": PERSON, "type": "text", "text": {"body": " "}}, 100),
        ({"to": PERSON, "type": "image", "image": {"id": "1"}}, 100),
        ({"to": PERSON, "type": "template", "template": {"name": "none", "language": {"code": "en"}}}, 132001),
        ({"type": "text", "text": {"body": "x"}}, 100),
        ({"status": "read", "message_id": "wamid.none"}, 131009),
    ],
)
def test_what_whatsapp_does_not_take(graph: GraphBox, given: dict[str, Any], code: int) -> None:
    answered = graph.call("POST", f"{NUMBER}/messages", messaging_product="whatsapp", **given)
    assert (answered.status_code, answered.json()["error"]["code"]) == (404 if code == 132001 else 400, code)


def test_rates_hold_for_a_number_and_for_a_person(graph: GraphBox) -> None:
    graph.control("PATCH", "/settings", {"rates": True, "states": []})
    given: JSON = {"messaging_product": "whatsapp", "to": PERSON, "type": "text", "text": {"body": "hi"}}
    codes = [graph.call("POST", f"{NUMBER}/messages", **given).json().get("error", {}).get("code") for _ in range(47)]
    assert codes[:45] == [None] * 45
    assert 131056 in codes[45:]


def test_faults_strike_by_call(graph: GraphBox) -> None:
    graph.fault("error", call="GET number", status=403, code=10, message="no", count=1)
    assert graph.call("GET", NUMBER).json()["error"]["code"] == 10
    assert graph.call("GET", NUMBER, fields="quality_rating").json() == {"id": NUMBER, "quality_rating": "GREEN"}


def test_a_token_is_described_and_revoked(graph: GraphBox) -> None:
    data = graph.call("GET", "debug_token", input_token=TOKEN).json()["data"]
    assert (data["is_valid"], data["app_id"], data["expires_at"]) == (True, APP_ID, 0)
    graph.control("PATCH", "/tokens", {"value": TOKEN, "is_valid": False})
    assert graph.call("GET", NUMBER).json()["error"]["code"] == 190


def test_an_address_is_asked_before_it_overrides(graph: GraphBox, web: ScriptedServer) -> None:
    web.script += [answer(403, b"no")]
    address = {"override_callback_uri": f"{web.url}/own", "verify_token": "mine"}
    assert graph.call("POST", f"{WABA}/subscribed_apps", **address).json()["error"]["code"] == 2200
    assert "hub.verify_token=mine" in web.received[0].path
    assert graph.call("DELETE", f"{WABA}/subscribed_apps").json() == {"success": True}
    assert graph.call("POST", f"{WABA}/subscribed_apps", **address).json()["error"]["code"] == 100
    assert json.loads(graph.call("GET", f"{WABA}/subscribed_apps").content) == {"data": []}
