"""`/api/scheduled-messages`: planning, changing, running, history; a mistake is a clear 4xx and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.models import Sender, User
from tests.http import callers, routes
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
    from tests.http import holdings

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
