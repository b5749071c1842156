"""Posts and rules over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.models import User
from tests.http import callers, holdings


@pytest.fixture
def admin(app: Any) -> User:
    made = callers.member()
    holdings.webhook(made)
    callers.commit()
    return made


@pytest.fixture
def headers(admin: User) -> dict[str, str]:
    return callers.signed_in(admin)


def make(client: FlaskClient, headers: dict[str, str], **more: Any) -> dict[str, Any]:
    answer = client.post("/api/posts", json={"platform": "x", "content": "Hello"} | more, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def test_a_post_says_why_it_waits(client: FlaskClient, headers: dict[str, str], admin: User) -> None:
    made = make(client, headers, scheduled_at="2040-01-01T10:00:00+09:00")
    assert {name: made[name] for name in ("state", "reason", "next_attempt_at", "publisher", "user_id")} == {
        "state": "scheduled",
        "reason": "scheduled",
        "next_attempt_at": "2040-01-01T01:00:00.000Z",
        "publisher": "webhook",
        "user_id": admin.id,
    }
    draft = make(client, headers, state="draft", platform=" tiktok ")
    assert (draft["state"], draft["platform"], draft["publisher"]) == ("draft", "tiktok", None)
    listed = client.get("/api/posts?state=draft", headers=headers).get_json()
    assert [post["id"] for post in listed["posts"]] == [draft["id"]]


def test_a_post_may_be_somebody_elses(client: FlaskClient, headers: dict[str, str], admin: User) -> None:
    made = make(client, headers, external_user_id="customer-7")
    assert made["user_id"] != admin.id
    assert make(client, headers, external_user_id="customer-7")["user_id"] == made["user_id"]
    narrow = callers.with_token(admin, ["read", "write"])
    answer = client.post(
        "/api/posts", json={"platform": "x", "content": "a", "user_id": made["user_id"]}, headers=narrow
    )
    assert callers.error_of(answer, 403)["code"] == "scope_missing"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scheduled_at": "2020-01-01T00:00:00Z"}, "past_date"),
        ({"scheduled_at": "2040-01-01T00:00:00"}, "invalid"),
        ({"media": [{"kind": "photo", "url": "http://10.0.0.1/a.jpg"}]}, "private_address"),
        ({"media": [{"kind": "photo"}]}, "invalid"),
        ({"content": "   "}, "post_empty"),
        ({"platform": "instagram", "publisher": "instagram"}, "no_publisher"),
        ({"platform": "facebook", "publisher": "telegram"}, "wrong_publisher"),
        ({"platform": "telegram", "target": {"chat_id": "what?"}}, "bad_chat_id"),
    ],
)
def test_what_cannot_be_published_is_refused_and_nothing_is_kept(
    client: FlaskClient, headers: dict[str, str], body: dict[str, Any], code: str
) -> None:
    answer = client.post("/api/posts", json={"platform": "x", "content": "Hello"} | body, headers=headers)
    assert callers.error_of(answer, 422)["code"] == code
    assert client.get("/api/posts", headers=headers).get_json()["posts"] == []


def test_the_same_key_makes_one_post(client: FlaskClient, headers: dict[str, str]) -> None:
    keyed = headers | {"Idempotency-Key": "k"}
    assert make(client, keyed)["id"] == make(client, keyed)["id"]
    assert len(client.get("/api/posts", headers=headers).get_json()["posts"]) == 1


@pytest.mark.parametrize("by", ["patch", "result"])
def test_a_result_can_be_reported_either_way(
    client: FlaskClient, headers: dict[str, str], admin: User, by: str
) -> None:
    post_id = holdings.post(admin, state="publishing")
    callers.commit()
    told = {"post_url": "https://example.com/p/1", "external_id": "1"}
    if by == "patch":
        answer = client.patch(f"/api/posts/{post_id}", json={"state": "published", "likes": 3} | told, headers=headers)
    else:
        answer = client.post(f"/api/posts/{post_id}/result", json={"outcome": "published"} | told, headers=headers)
    assert answer.status_code == 200, answer.text
    found = client.get(f"/api/posts/{post_id}", headers=headers).get_json()
    assert (found["state"], found["post_url"], found["external_id"]) == ("published", *told.values())
    assert [one["phase"] for one in found["tries"]] == ["published"]
    refused = client.post(f"/api/posts/{post_id}/result", json={"outcome": "failed"}, headers=headers)
    assert callers.error_of(refused, 409)["code"] == "post_state"


def test_only_one_who_looked_sends_an_unknown_one_again(
    client: FlaskClient, headers: dict[str, str], admin: User
) -> None:
    post_id = holdings.post(admin, state="unknown")
    callers.commit()
    assert callers.error_of(client.post(f"/api/posts/{post_id}/retry", headers=headers), 409)["code"] == "post_state"
    again = client.post(f"/api/posts/{post_id}/resolve", json={"outcome": "retry"}, headers=headers).get_json()
    assert (again["state"], again["reason"]) == ("scheduled", "queued")


def test_a_rule_without_a_name_is_called_by_its_number(client: FlaskClient, headers: dict[str, str]) -> None:
    body = {"platforms": ["x", "x"], "content": "Hello", "timing": {"kind": "cron", "cron": "0 9 * * *"}}
    made = client.post("/api/automation-rules", json=body, headers=headers)
    assert made.status_code == 201, made.text
    rule = made.get_json()
    assert rule["title"] == f"Auto-rule {rule['id']}"
    assert rule["platforms"] == ["x"]
    assert rule["timing"] == {
        "kind": "cron",
        "cron": "0 9 * * *",
        "interval_seconds": None,
        "run_at": None,
        "timezone": "UTC",
    }
    assert rule["next_run_at"].endswith("T09:00:00.000Z")
    off = client.patch(f"/api/automation-rules/{rule['id']}/", json={"enabled": False}, headers=headers).get_json()
    assert (off["enabled"], off["next_run_at"]) == (False, None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"timing": {"kind": "cron", "cron": "nonsense"}}, "bad_cron"),
        ({"timing": {"kind": "cron", "cron": "0 9 * * *", "timezone": "Mars/Base"}}, "unknown_timezone"),
        ({"timing": {"kind": "once", "run_at": "2020-01-01T00:00:00Z"}}, "past_date"),
        ({"content": "{oops}"}, "bad_template"),
        ({"platforms": ["instagram"], "media": []}, "media_required"),
        ({"platforms": []}, "invalid"),
    ],
)
def test_a_bad_change_of_a_rule_changes_nothing(
    client: FlaskClient,
    headers: dict[str, str],
    admin: User,
    changes: dict[str, Any],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from backend.core import config

    monkeypatch.setattr(
        config, "_current", config.get().model_copy(update={"meta_page_access_token": "EXAMPLE-not-a-token"})
    )
    rule_id = holdings.rule(admin)
    callers.commit()
    before = client.get(f"/api/automation-rules/{rule_id}", headers=headers).get_json()
    answer = client.patch(f"/api/automation-rules/{rule_id}", json={"name": "New"} | changes, headers=headers)
    assert callers.error_of(answer, 422)["code"] == code
    assert client.get(f"/api/automation-rules/{rule_id}", headers=headers).get_json() == before
