"""Integrations over the API: what is shown once, who may do what, and what Meta's refusals become."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.models import User
from tests.http import callers, holdings, objects_integrations
from tests.support import channel_stand_ins
from tests.support.bot_api import settings_with
from tests.support.graph_api import NUMBER_ID, SECRET, TOKEN, WABA_ID, Graph, Refusal, graph_api

NEW = {
    "platform": "whatsapp",
    "name": "Lettings",
    "phone_number_id": NUMBER_ID,
    "waba_id": WABA_ID,
    "access_token": TOKEN,
    "app_secret": SECRET,
}


@pytest.fixture
def graph(app: Flask) -> Iterator[Graph]:
    with channel_stand_ins.added(), graph_api() as api:
        yield api


@pytest.fixture
def person(graph: Graph) -> User:
    """An admin."""
    return callers.member()


@pytest.fixture
def headers(person: User) -> dict[str, str]:
    return callers.signed_in(person)


@pytest.fixture
def address(client: FlaskClient, headers: dict[str, str]) -> str:
    """That of a number."""
    answer = client.post("/api/integrations", json=NEW, headers=headers)
    assert answer.status_code == 201, answer.text
    return f"/api/integrations/{answer.get_json()['id']}"


def test_the_verify_token_is_answered_once(client: FlaskClient, headers: dict[str, str]) -> None:
    once = headers | {"Idempotency-Key": "the-same"}
    first = client.post("/api/integrations", json=NEW, headers=once)
    assert first.status_code == 201
    token = first.get_json()["verify_token"]
    assert first.get_json()["webhook_url"].endswith(f"/whatsapp/webhook/{first.get_json()['id']}")
    again = client.post("/api/integrations", json=NEW, headers=once)
    assert again.status_code == 201
    assert again.get_json()["id"] == first.get_json()["id"]
    shown = client.get(f"/api/integrations/{first.get_json()['id']}", headers=headers)
    listed = client.get("/api/integrations", headers=headers)
    for answer in (again, shown, listed):
        for secret in (token, TOKEN, SECRET):
            assert secret not in answer.text
    assert [entry["status"] for entry in listed.get_json()["integrations"]] == ["setting_up"]


def test_a_verify_token_of_ones_own_is_taken(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/api/integrations", json=NEW | {"verify_token": "a-token-of-my-own"}, headers=headers)
    assert answer.get_json()["verify_token"] == "a-token-of-my-own"
    query = {"hub.mode": "subscribe", "hub.verify_token": "a-token-of-my-own", "hub.challenge": "42"}
    path = "/" + answer.get_json()["webhook_url"].split("/", 3)[3]
    shake = client.get(path, query_string=query)
    assert (shake.status_code, shake.text) == (200, "42")
    assert client.get(path, query_string=query | {"hub.verify_token": "another"}).status_code == 403


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"phone_number_id": None}, "phone_number_id"),
        ({"platform": "instagram"}, "instagram_id"),
        ({"platform": "messenger"}, "page_id"),
        ({"platform": "fax"}, "platform"),
        ({"phone_number_id": "../me"}, "phone_number_id"),
        ({"access_token": "a b c d e f g h"}, "access_token"),
        ({"app_secret": "short"}, "app_secret"),
        ({"name": " "}, "name"),
        ({"tokens": "x"}, "tokens"),
    ],
)
def test_what_is_wrong_is_named(
    client: FlaskClient, headers: dict[str, str], changes: dict[str, object], field: str
) -> None:
    answer = client.post("/api/integrations", json=NEW | changes, headers=headers)
    assert answer.status_code == 422
    assert field in {fault["field"] for fault in answer.get_json()["error"]["detail"]}
    assert client.get("/api/integrations", headers=headers).get_json()["integrations"] == []


def test_what_is_named_is_changed(client: FlaskClient, headers: dict[str, str], address: str) -> None:
    changed = client.patch(address, json={"name": "Sales", "is_active": False}, headers=headers)
    assert (changed.get_json()["name"], changed.get_json()["status"]) == ("Sales", "stopped")
    for wrong in ({"senders": "workspace"}, {"name": None}, {"human_agent": True}, {"waba_id": "x"}):
        assert client.patch(address, json=wrong, headers=headers).status_code == 422, wrong
    assert client.delete(address, headers=headers).status_code == 204
    assert client.get(address, headers=headers).status_code == 404


def test_a_person_answers_for_seven_days_where_that_is_allowed(
    client: FlaskClient, headers: dict[str, str], person: User
) -> None:
    page = f"/api/integrations/{objects_integrations.integration(person, 'messenger')}"
    callers.commit()
    assert client.get(page, headers=headers).get_json()["human_agent"] is False
    assert client.patch(page, json={"human_agent": True}, headers=headers).get_json()["human_agent"] is True


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_admins_connect_and_change(client: FlaskClient, person: User, address: str, role: str) -> None:
    other = callers.signed_in(callers.member(holdings.home(person), role=role))
    refused = [
        client.post("/api/integrations", json=NEW, headers=other),
        client.patch(address, json={"name": "x"}, headers=other),
        client.delete(address, headers=other),
        client.post(f"{address}/subscribe", headers=other),
        client.post(f"{address}/register", json={"pin": "123456"}, headers=other),
        client.post(f"{address}/renew", headers=other),
    ]
    assert [answer.status_code for answer in refused] == [403] * 6
    assert client.get(f"{address}/checks", headers=other).status_code == 200
    refreshed = client.post(f"{address}/templates/refresh", headers=other)
    assert refreshed.status_code == (403 if role == "viewer" else 200)


def test_another_workspaces_integration_is_not_there(client: FlaskClient, address: str) -> None:
    stranger = callers.signed_in(callers.member())
    answers = [
        client.get(address, headers=stranger),
        client.patch(address, json={"name": "x"}, headers=stranger),
        client.delete(address, headers=stranger),
        client.get(f"{address}/checks", headers=stranger),
        client.post(f"{address}/subscribe", headers=stranger),
        client.post(f"{address}/register", json={"pin": "123456"}, headers=stranger),
        client.get(f"{address}/templates", headers=stranger),
        client.post(f"{address}/templates/refresh", headers=stranger),
    ]
    assert [answer.status_code for answer in answers] == [404] * 8
    assert client.get("/api/integrations", headers=stranger).get_json()["integrations"] == []
    assert client.get("/api/integrations/diagnostics", headers=stranger).json == {"ok": True, "integrations": []}


def test_checks_are_told_in_the_callers_language(
    client: FlaskClient, headers: dict[str, str], address: str, graph: Graph
) -> None:
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = {"data": []}
    for language, words in (("en", "Messages are sent to us"), ("ko", "메시지 수신 구독")):
        answer = client.get(f"{address}/checks", headers=headers | {"Accept-Language": language})
        (line,) = [line for line in answer.get_json()["checks"] if line["check"] == "subscription"]
        assert (line["name"], line["state"], line["action"]) == (words, "failed", "subscribe")
        assert line["hint"]
        assert answer.get_json()["ok"] is False
    known = client.get("/api/integrations/diagnostics", headers=headers).get_json()
    assert known["ok"] is False
    assert known["integrations"][0]["status"] == "failing"


def test_an_old_api_version_is_taken_with_a_warning(client: FlaskClient, headers: dict[str, str], address: str) -> None:
    with settings_with(meta_api_version="v19.0"):
        checks = client.get(f"{address}/checks", headers=headers).get_json()["checks"]
    (line,) = [line for line in checks if line["check"] == "version"]
    assert (line["state"], line["text"]) == ("warning", "v19.0 ended on 2026-05-21")
    assert "v26.0" in line["hint"]


@pytest.mark.parametrize(
    ("refusal", "status", "code", "waits"),
    [
        (Refusal(401, 190, "Revoked"), 422, "token_refused", False),
        (Refusal(429, 4, "Slow down", retry_after=90), 429, "rate_limited", True),
        (Refusal(500), 503, "meta_unavailable", True),
        (Refusal(400, 100, "Nonsense"), 422, "refused", False),
    ],
)
def test_metas_refusals_say_why_and_when_again(
    client: FlaskClient,
    headers: dict[str, str],
    address: str,
    graph: Graph,
    refusal: Refusal,
    *,
    status: int,
    code: str,
    waits: bool,
) -> None:
    graph.refuse(refusal)
    answer = client.post(f"{address}/register", json={"pin": "123456"}, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)
    assert ("Retry-After" in answer.headers) is waits
    assert TOKEN not in answer.text


def test_a_check_answers_though_meta_does_not(
    client: FlaskClient, headers: dict[str, str], address: str, graph: Graph
) -> None:
    graph.refuse(Refusal(503))
    answer = client.get(f"{address}/checks", headers=headers)
    assert answer.status_code == 200
    assert answer.get_json()["asked"] is False
    assert {line["state"] for line in answer.get_json()["checks"]} <= {"ok", "waiting", "unknown"}


@pytest.mark.parametrize("path", ["/meta/data-deletion", "/meta/deauthorize"])
def test_metas_callbacks_ask_for_its_signature(client: FlaskClient, graph: Graph, path: str) -> None:
    form = {"signed_request": objects_integrations.signed_request()}
    with settings_with(meta_app_secret=SECRET):
        assert client.post(path, data=form | {"extra": "x"}).status_code == 200
        assert client.post(path).status_code == 400
        assert client.post(path, data={"signed_request": "no.pe!"}).status_code == 400
        wrong = objects_integrations.signed_request(secret="another")
        assert client.post(path, data={"signed_request": wrong}).status_code == 401
    with settings_with(meta_app_secret="", instagram_app_secret=""):
        assert client.post(path, data=form).status_code == 401
    assert client.post(f"{path}/999999", data=form).status_code == 404


def test_a_deletion_is_answered_alike_each_time(client: FlaskClient, graph: Graph) -> None:
    with settings_with(meta_app_secret=SECRET):
        form = {"signed_request": objects_integrations.signed_request()}
        first, again = (client.post("/meta/data-deletion", data=form).get_json() for _ in range(2))
    assert first == again
    assert first["url"].endswith(f"/privacy/deletion/{first['confirmation_code']}")
