"""`/api/scheduled-messages`: planning, changing, running, history; a mistake is a clear 4xx and changes nothing."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.core.work import Turn
from backend.models import Sender, User
from backend.services import scheduling
from tests.http import callers, holdings, routes
from tests.services.notifications.test_attachments import PICTURE
from tests.support import factories
from tests.support.fake_channel import FakeChannel

PATH = "/api/scheduled-messages"
DAILY = {"bot_name": "news", "chat_ids": ["-5001"], "message": "Hello", "kind": "cron", "cron": "0 9 * * *"}


@pytest.fixture
def person(app: Flask, no_bot: None) -> User:
    FakeChannel().install()
    return callers.member(factories.workspace(), "operator")


@pytest.fixture
def me(person: User) -> dict[str, str]:
    return callers.signed_in(person)


@pytest.fixture
def bot(person: User) -> Sender:
    made = holdings.bot(holdings.home(person), name="news")
    callers.commit()
    return made


@pytest.mark.usefixtures("bot")
def test_a_message_is_planned_shown_run_and_deleted(client: FlaskClient, me: dict[str, str]) -> None:
    made = client.post(f"{PATH}/", json=DAILY | {"timezone": "Asia/Seoul"}, headers=me)
    assert made.status_code == 201, made.text
    shown = made.get_json()
    assert shown | DAILY == shown
    assert (shown["timezone"], shown["enabled"], shown["last_run_at"]) == ("Asia/Seoul", True, None)
    assert shown["next_run_at"].endswith("T00:00:00.000Z")
    one = f"{PATH}/{shown['id']}"
    assert client.get(one, headers=me).get_json() == shown
    assert client.get(PATH, headers=me).get_json() == {"scheduled_messages": [shown], "next_cursor": None}
    run = client.post(f"{one}/run", headers=me)
    assert run.status_code == 202
    assert (run.get_json()["state"], run.get_json()["messages"]) == ("waiting", [])
    history = client.get(f"{one}/history", headers=me).get_json()
    assert [entry["id"] for entry in history["runs"]] == [run.get_json()["id"]]
    off = client.patch(one, json={"enabled": False}, headers=me).get_json()
    assert (off["enabled"], off["next_run_at"]) == (False, None)
    assert client.delete(one, headers=me).status_code == 204
    assert callers.error_of(client.get(one, headers=me), 404)


@pytest.mark.usefixtures("bot")
def test_the_same_request_twice_plans_one(client: FlaskClient, me: dict[str, str]) -> None:
    headers = me | {"Idempotency-Key": "plan-1"}
    first = client.post(PATH, json=DAILY, headers=headers)
    again = client.post(PATH, json=DAILY, headers=headers)
    assert again.get_json() == first.get_json()
    assert len(client.get(PATH, headers=me).get_json()["scheduled_messages"]) == 1


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("chat_ids", ["-5001, 5002", [-5001, 5002], ["-5001", "5002"]])
def test_chats_may_be_written_in_several_ways(client: FlaskClient, me: dict[str, str], chat_ids: Any) -> None:
    made = client.post(PATH, json=DAILY | {"chat_ids": chat_ids}, headers=me)
    assert made.get_json()["chat_ids"] == ["-5001", "5002"]


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"cron": "every day"}, 422, "bad_cron", "cron"),
        ({"timezone": "Mars/Olympus"}, 422, "unknown_timezone", "timezone"),
        ({"kind": "once", "run_at": "2020-01-01T09:00:00Z"}, 422, "past_date", "run_at"),
        ({"kind": "once", "run_at": "9999-12-31T23:59:59-12:00"}, 422, "date_too_far", "run_at"),
        ({"kind": "interval", "interval_seconds": 0}, 422, "bad_interval", "interval_seconds"),
        ({"bot_name": "nobody"}, 404, "bot_not_found", None),
        ({"bot_name": "theirs"}, 404, "bot_not_found", None),
        ({"chat_ids": []}, 422, "no_chats", "chat_ids"),
        ({"chat_ids": ""}, 422, "no_chats", "chat_ids"),
        ({"chat_ids": ["x y"]}, 422, "bad_chat_id", "chat_ids.0"),
        ({"message": "   "}, 422, "invalid", "message"),
        ({"message": "x" * 20_001}, 422, "invalid", "message"),
        ({"kind": "sometimes"}, 422, "invalid", "kind"),
    ],
)
def test_a_mistake_is_named_and_nothing_changes(
    client: FlaskClient, me: dict[str, str], fields: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    factories.bot(factories.workspace(), name="theirs")
    callers.commit()
    before = routes.fingerprint()
    error = callers.error_of(client.post(PATH, json=DAILY | fields, headers=me), status)
    assert error["code"] == code
    if field is not None:
        assert [fault["field"] for fault in error["detail"]] == [field]
    assert routes.fingerprint() == before


# --- alerts and files ---


@pytest.fixture
def picture(client: FlaskClient, me: dict[str, str]) -> int:
    form = {"file": (io.BytesIO(PICTURE), "a.png")}
    answer = client.post("/api/files", data=form, headers=me, content_type="multipart/form-data")
    return int(answer.get_json()["id"])


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


@pytest.mark.usefixtures("bot")
def test_an_alert_is_planned_and_run(client: FlaskClient, me: dict[str, str]) -> None:
    alert = {
        "title": "Backup check",
        "severity": "info",
        "labels": {"team": "ops"},
        "photo": "https://example.com/a.png",
    }
    made = client.post(PATH, json=without(DAILY, "message") | {"alert": alert}, headers=me)
    assert made.status_code == 201, made.text
    shown = made.get_json()
    assert (shown["message"], shown["photo"], shown["document"]) == (None, None, None)
    assert shown["alert"] | alert == shown["alert"] | {"photo": "https://example.com/a.png"}
    assert shown["alert"]["photo"] == {"url": "https://example.com/a.png", "file_id": None}
    one = f"{PATH}/{shown['id']}"
    assert client.post(f"{one}/run", headers=me).status_code == 202
    scheduling.drain(Turn(60.0))
    (run,) = client.get(f"{one}/history", headers=me).get_json()["runs"]
    assert (run["state"], run["decision"]) == ("done", "sent")
    raised = client.get(f"/api/alerts/{run['alert_id']}", headers=me).get_json()
    assert (raised["title"], raised["labels"], raised["source"]) == ("Backup check", {"team": "ops"}, "schedule")


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("kind", ["photo", "document"])
def test_a_file_is_planned_changed_and_run(client: FlaskClient, me: dict[str, str], picture: int, kind: str) -> None:
    file = {"file_id": picture, "caption": "Figures"}
    made = client.post(PATH, json=without(DAILY, "message") | {kind: file}, headers=me)
    assert made.status_code == 201, made.text
    shown = made.get_json()
    assert shown[kind] == file | {"url": None}
    assert (shown["message"], shown["alert"]) == (None, None)
    one = f"{PATH}/{shown['id']}"
    assert client.post(f"{one}/run", headers=me).status_code == 202
    scheduling.drain(Turn(60.0))
    (run,) = client.get(f"{one}/history", headers=me).get_json()["runs"]
    assert (run["state"], [said["state"] for said in run["messages"]]) == ("done", ["queued"])
    changed = client.patch(one, json={"message": "Words", "document": None}, headers=me).get_json()
    assert (changed["message"], changed[kind]) == ("Words", None)


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({}, 422, "content_missing", "message"),
        ({"message": None}, 422, "content_missing", "message"),
        ({"message": "a", "photo": {"file_id": 1}}, 422, "content_ambiguous", "photo"),
        ({"photo": {"file_id": 99}}, 404, "file_not_found", None),
        ({"photo": {"file": 99}}, 422, "unknown_field", "photo.file"),
        ({"photo": "https://example.com/a.png"}, 422, "invalid", "photo"),
        ({"document": {"url": "http://127.0.0.1/"}}, 422, "invalid", "document.url"),
        ({"alert": {"title": "a", "bot_name": "news"}}, 422, "unknown_field", "alert.bot_name"),
        ({"alert": {"title": "a", "lables": {}}}, 422, "unknown_field", "alert.lables"),
        ({"alert": {"message": "", "title": ""}}, 422, "invalid", "alert.title"),
    ],
)
def test_a_mistake_in_what_is_sent_is_named_and_nothing_changes(
    client: FlaskClient, me: dict[str, str], fields: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    before = routes.fingerprint()
    error = callers.error_of(client.post(PATH, json=without(DAILY, "message") | fields, headers=me), status)
    assert error["code"] == code
    if field is not None:
        assert [fault["field"] for fault in error["detail"]] == [field]
    assert routes.fingerprint() == before


@pytest.mark.usefixtures("bot")
def test_another_workspace_s_file_is_not_found(client: FlaskClient, me: dict[str, str], picture: int) -> None:
    stranger = callers.member(factories.workspace(), "operator")
    holdings.bot(holdings.home(stranger), name="theirs")
    callers.commit()
    body = without(DAILY, "message") | {"bot_name": "theirs", "photo": {"file_id": picture}}
    answer = client.post(PATH, json=body, headers=callers.signed_in(stranger))
    assert callers.error_of(answer, 404)["code"] == "file_not_found"
