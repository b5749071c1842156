"""Webhooks over HTTP: the secret is shown once, and the log tells what became of each event."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.models import User
from tests.http import callers

URL = "https://93.184.216.34/hooks?key=shh"


@pytest.fixture
def admin(app: Any) -> User:
    return callers.member()


@pytest.fixture
def headers(admin: User) -> dict[str, str]:
    return callers.signed_in(admin)


def add(client: FlaskClient, headers: dict[str, str], **more: Any) -> dict[str, Any]:
    answer = client.post("/api/webhooks", json={"url": URL, "events": ["post.*"]} | more, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def test_the_secret_is_shown_once(client: FlaskClient, headers: dict[str, str]) -> None:
    with_key = headers | {"Idempotency-Key": "one"}
    made = add(client, with_key)
    assert made["secret"].startswith("whsec_")
    assert add(client, with_key)["secret"] is None
    shown = client.get(f"/api/webhooks/{made['id']}", headers=headers)
    assert "secret" not in shown.get_json()
    assert made["secret"] not in client.get("/api/webhooks", headers=headers).text
    rotated = client.post(f"/api/webhooks/{made['id']}/rotate-secret", headers=headers).get_json()
    assert rotated["secret"] not in (None, made["secret"])


def test_only_admins_see_addresses(client: FlaskClient, headers: dict[str, str], admin: User) -> None:
    add(client, headers)
    from tests.http import holdings

    operator = callers.signed_in(callers.member(holdings.home(admin), role="operator"))
    assert callers.error_of(client.get("/api/webhooks", headers=operator), 403)["code"] == "role_required"
    assert client.get("/api/webhooks/events", headers=operator).status_code == 200


def test_a_test_is_logged_and_can_be_replayed(client: FlaskClient, headers: dict[str, str]) -> None:
    made = add(client, headers)
    sent = client.post(f"/api/webhooks/{made['id']}/test", headers=headers)
    assert sent.status_code == 202
    found = client.get(f"/api/webhooks/deliveries/{sent.get_json()['id']}/", headers=headers).get_json()
    assert (found["type"], found["state"], found["reason"], found["tries"]) == ("webhook.test", "due", "queued", [])
    assert found["body"]["id"] == found["event_id"]
    again = client.post(f"/api/webhooks/deliveries/{found['id']}/replay", headers=headers)
    assert (again.status_code, again.get_json()["reason"]) == (202, "replayed")
    listed = client.get(f"/api/webhooks/deliveries?webhook_id={made['id']}&state=due", headers=headers).get_json()
    assert [row["id"] for row in listed["deliveries"]] == [found["id"]]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"url": "http://192.168.1.7/hook"}, "private_address"),
        ({"url": None}, "invalid"),
        ({"events": []}, "invalid"),
        ({"events": ["no.such.event"]}, "unknown_event_type"),
        ({"enabled": "yes"}, "invalid"),
    ],
)
def test_a_bad_change_changes_nothing(
    client: FlaskClient, headers: dict[str, str], changes: dict[str, Any], code: str
) -> None:
    made = add(client, headers)
    before = client.get(f"/api/webhooks/{made['id']}", headers=headers).get_json()
    answer = client.patch(f"/api/webhooks/{made['id']}", json={"name": "New"} | changes, headers=headers)
    assert callers.error_of(answer, 422)["code"] == code
    assert client.get(f"/api/webhooks/{made['id']}", headers=headers).get_json() == before
