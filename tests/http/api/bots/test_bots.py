"""The API of bots: what is stored, what is refused with nothing changed, and that no token is ever shown."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core.database import db, system_scope
from backend.http.schemas.bots import BotChange
from backend.models import Delivery, Message, TelegramLink, User, Workspace
from backend.services.delivery import outbox
from tests.http import callers, routes
from tests.http.api.bots.conftest import BODY, TOKEN, Headers, audited, stored
from tests.support import factories
from tests.support.bot_api import ME, BotApi, Refusal, settings_with

# --- create, show, list ---


def test_a_bot_is_shown_with_its_account_and_without_its_token(
    client: FlaskClient, headers: Headers, bot: dict[str, Any]
) -> None:
    assert (bot["name"], bot["token"], bot["username"]) == ("Deploy", "4242:…ests", "example_bot")
    assert (bot["chat_ids"], bot["chat_type"], bot["is_active"]) == (["-1001234567890"], None, True)
    assert bot["bot"]["display_name"] == "Example"
    assert bot["usage"] == {"chats": 0, "links": 0, "waiting": 0, "attempts_24h": 0, "last_attempt_at": None}
    assert bot["health"]["state"] == "unknown"
    for address in ("/api/telegram-bots/", "/api/telegram-bots", f"/api/telegram-bots/{bot['id']}/"):
        shown = client.get(address, headers=headers)
        assert shown.status_code == 200
        assert TOKEN not in shown.text
    assert client.get("/api/telegram-bots", headers=headers).get_json()["telegram_bots"] == [bot]
    assert "bot.created" in audited()


def test_a_bot_may_be_made_with_numbers_and_with_commas(client: FlaskClient, headers: Headers) -> None:
    for chat_ids in ([-1001234567890, "@Ops"], "-1001234567890, @ops"):
        made = client.post("/api/telegram-bots", json=BODY | {"chat_ids": chat_ids}, headers=headers).get_json()
        assert made["chat_ids"] == ["-1001234567890", "@ops"]
        assert client.delete(f"/api/telegram-bots/{made['id']}", headers=headers).status_code == 204


def test_the_same_request_with_its_key_makes_one_bot_and_keeps_no_token(
    client: FlaskClient, headers: Headers, databases: Any
) -> None:
    keyed = headers | {"Idempotency-Key": "a-key"}
    first = client.post("/api/telegram-bots", json=BODY, headers=keyed)
    again = client.post("/api/telegram-bots", json=BODY, headers=keyed)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = client.post("/api/telegram-bots", json=BODY | {"name": "Other"}, headers=keyed)
    assert callers.error_of(other, 409)["code"] == "idempotency_mismatch"


def test_a_refused_token_is_an_error_and_its_key_can_be_used_again(
    client: FlaskClient, headers: Headers, api: BotApi
) -> None:
    keyed = headers | {"Idempotency-Key": "a-key"}
    before = routes.fingerprint()
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    refused = callers.error_of(client.post("/api/telegram-bots", json=BODY, headers=keyed), 422)
    assert refused["code"] == "token_refused"
    assert TOKEN not in str(refused)
    api.answers["getMe"] = Refusal(502, "Bad Gateway")
    away = client.post("/api/telegram-bots", json=BODY, headers=keyed)
    assert callers.error_of(away, 503)["code"] == "bot_unavailable"
    assert routes.fingerprint() == before
    api.answers["getMe"] = dict(ME)
    assert client.post("/api/telegram-bots", json=BODY, headers=keyed).status_code == 201


def test_no_telegram_at_all_is_a_clear_answer(client: FlaskClient, headers: Headers) -> None:
    with settings_with(telegram_api_url="http://127.0.0.1:9"):
        for address in ("/api/telegram-bots", "/api/telegram/validate-token", "/api/telegram/discover-chats"):
            body = BODY if address == "/api/telegram-bots" else {"token": TOKEN}
            answer = client.post(address, json=body, headers=headers)
            assert callers.error_of(answer, 503)["code"] == "bot_unavailable"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"name": "DEPLOY "}, 409, "bot_exists"),
        ({"name": "Other"}, 409, "token_in_use"),
        ({"name": "17", "token": "4343:FAKE-x"}, 422, "name_malformed"),
        ({"name": "@deploy", "token": "4343:FAKE-x"}, 422, "name_malformed"),
        ({"name": "a\nb", "token": "4343:FAKE-x"}, 422, "name_malformed"),
        ({"name": "Other", "token": "nonsense"}, 422, "bad_token"),
        ({"name": "Other", "token": "4343:FAKE-x", "chat_ids": ["somebody"]}, 422, "bad_chat_id"),
        ({"name": "Other", "token": "4343:FAKE-x", "chat_type": "forum"}, 422, None),
        ({"name": "Other", "token": "4343:FAKE-x", "message_thread_id": "x"}, 422, "bad_thread_id"),
        (
            {"name": "Other", "token": "4343:FAKE-x", "chat_ids": [], "message_thread_id": "4"},
            422,
            "thread_needs_one_chat",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    client: FlaskClient, headers: Headers, bot: dict[str, Any], changes: dict[str, Any], status: int, code: str | None
) -> None:
    before = routes.fingerprint()
    if code == "bot_exists":
        changes = changes | {"token": "4343:FAKE-x"}
    error = callers.error_of(client.post("/api/telegram-bots", json=BODY | changes, headers=headers), status)
    codes = {error["code"], *(one["code"] for one in error["detail"] or [])}
    assert code is None or code in codes, error
    assert routes.fingerprint() == before


def test_a_bot_account_is_in_one_place_of_the_instance(client: FlaskClient, bot: dict[str, Any]) -> None:
    stranger = callers.member()
    answer = client.post("/api/telegram-bots", json=BODY, headers=callers.signed_in(stranger))
    error = callers.error_of(answer, 409)
    assert error["code"] == "token_in_use"
    assert "Deploy" not in error["message"]
    default = client.post(
        "/api/telegram-bots", json=BODY | {"token": "100001:ANOTHER-visibly-fake"}, headers=callers.signed_in(stranger)
    )
    assert default.status_code == 201, "the tests' default bot has no row yet"


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_credentials_are_for_admins(client: FlaskClient, home: Workspace, bot: dict[str, Any], role: str) -> None:
    person = callers.signed_in(callers.member(home, role=role))
    assert client.get("/api/telegram-bots", headers=person).status_code == 200
    for method, path in (
        ("POST", ""), ("PATCH", f"/{bot['id']}"), ("DELETE", f"/{bot['id']}"), ("POST", f"/{bot['id']}/validate"),
        ("POST", f"/{bot['id']}/rotate-secret"), ("GET", f"/{bot['id']}/discover-chats"),
    ):  # fmt: skip
        answer = client.open("/api/telegram-bots" + path, method=method, json=BODY, headers=person)
        assert callers.error_of(answer, 403)["code"] == "role_required"


# --- change ---


def test_only_what_is_named_changes(client: FlaskClient, headers: Headers, bot: dict[str, Any]) -> None:
    address = f"/api/telegram-bots/{bot['id']}"
    changed = client.patch(address, json={"name": "Release", "message_thread_id": 42}, headers=headers).get_json()
    assert (changed["name"], changed["message_thread_id"]) == ("Release", "42")
    assert changed["chat_ids"] == bot["chat_ids"]
    both = client.patch(address, json={"chat_ids": ["5", "6"]}, headers=headers)
    assert callers.error_of(both, 422)["detail"][0]["code"] == "thread_needs_one_chat"
    both = client.patch(address, json={"chat_ids": ["5", "6"], "message_thread_id": None}, headers=headers)
    assert both.get_json()["chat_ids"] == ["5", "6"]


def test_what_was_read_can_be_sent_back(client: FlaskClient, headers: Headers, bot: dict[str, Any]) -> None:
    before = len(audited())
    body = {name: bot[name] for name in BotChange.model_fields}
    answer = client.patch(f"/api/telegram-bots/{bot['id']}", json=body, headers=headers)
    assert answer.get_json() == bot
    assert stored(bot["id"]).credentials == TOKEN
    assert len(audited()) == before


def test_a_new_token_of_the_same_bot_ends_its_refusal(
    client: FlaskClient, headers: Headers, bot: dict[str, Any], api: BotApi
) -> None:
    address = f"/api/telegram-bots/{bot['id']}"
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    refused = client.post(f"{address}/validate", headers=headers).get_json()
    assert refused == {"valid": False, "code": "token_refused", "bot": None}
    shown = client.get(address, headers=headers).get_json()
    assert (shown["is_active"], shown["disabled_code"]) == (False, "token_refused")
    answer = client.patch(address, json={"token": "4242:FAKE-another-one"}, headers=headers)
    assert callers.error_of(answer, 422)["code"] == "token_refused"
    api.answers["getMe"] = dict(ME)
    changed = client.patch(address, json={"token": "4242:FAKE-another-one"}, headers=headers).get_json()
    assert (changed["is_active"], changed["disabled_code"], changed["token"]) == (True, None, "4242:…-one")


def test_a_token_of_another_bot_is_refused(client: FlaskClient, headers: Headers, bot: dict[str, Any]) -> None:
    answer = client.patch(f"/api/telegram-bots/{bot['id']}", json={"token": "4343:FAKE-x"}, headers=headers)
    assert callers.error_of(answer, 409)["code"] == "another_bot"


def test_a_person_switches_a_bot_off_and_on(client: FlaskClient, headers: Headers, bot: dict[str, Any]) -> None:
    address = f"/api/telegram-bots/{bot['id']}"
    off = client.patch(address, json={"is_active": False}, headers=headers).get_json()
    assert (off["is_active"], off["disabled_code"]) == (False, None)
    tested = client.post(f"{address}/test", json={}, headers=headers)
    assert callers.error_of(tested, 409)["code"] == "bot_inactive"
    assert client.patch(address, json={"is_active": True}, headers=headers).get_json()["is_active"] is True


# --- remove ---


def test_removing_keeps_the_history_and_forgets_the_secrets(
    client: FlaskClient, headers: Headers, home: Workspace, admin: User, bot: dict[str, Any], api: BotApi
) -> None:
    row = stored(bot["id"])
    factories.link(admin, row, "5001")
    callers.commit()
    sent = client.post(f"/api/telegram-bots/{bot['id']}/test", json={}, headers=headers).get_json()["message_ids"]
    api.answers["getWebhookInfo"] = {"url": bot["webhook_url"], "pending_update_count": 0}
    assert client.delete(f"/api/telegram-bots/{bot['id']}", headers=headers).status_code == 204
    assert api.called("deleteWebhook")
    gone = stored(bot["id"])
    assert (gone.credentials, gone.credentials_hash, gone.webhook_secret, gone.chat_ids) == (None, None, None, ())
    assert gone.deleted_at is not None
    with system_scope("a test"):
        message = db.session.get_one(Message, sent[0])
        assert (message.state, message.error) == ("canceled", "bot_removed")
        assert db.session.scalars(select(TelegramLink)).all() == []
        assert db.session.scalars(select(Delivery)).all() == []
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/validate")):
        answer = client.open(f"/api/telegram-bots/{bot['id']}{path}", method=method, json={}, headers=headers)
        assert callers.error_of(answer, 404)["code"] == "bot_not_found"
    again = client.post("/api/telegram-bots", json=BODY, headers=headers)
    assert again.status_code == 201
    update = client.post(
        f"/api/telegram/webhook/{bot['id']}/", json={}, headers={"X-Telegram-Bot-Api-Secret-Token": "x"}
    )
    assert update.status_code == 404


def test_a_bot_is_removed_also_while_telegram_is_away(
    client: FlaskClient, headers: Headers, bot: dict[str, Any]
) -> None:
    with settings_with(telegram_api_url="http://127.0.0.1:9"):
        assert client.delete(f"/api/telegram-bots/{bot['id']}", headers=headers).status_code == 204


# --- test, sync, usage ---


def test_a_test_message_is_stored_for_each_chat_or_the_named_one(
    client: FlaskClient, headers: Headers, bot: dict[str, Any]
) -> None:
    address = f"/api/telegram-bots/{bot['id']}/test"
    usual = client.post(address, json={}, headers=headers)
    assert usual.status_code == 202
    (message_id,) = usual.get_json()["message_ids"]
    named = {"message": "Hello", "chat_id": "@Ops", "message_thread_id": "7"}
    (other,) = client.post(address, json=named, headers=headers).get_json()["message_ids"]
    with system_scope("a test"):
        one, two = (db.session.get_one(Message, each) for each in (message_id, other))
        assert two.body == {"parts": [{"text": "Hello", "format": "plain"}], "thread_id": "7"}
        assert "thread_id" not in one.body
        assert [outbox.conversation_of(each).chat_id for each in (one, two)] == ["-1001234567890", "@ops"]
    shown = client.get(f"/api/telegram-bots/{bot['id']}", headers=headers).get_json()
    assert (shown["usage"]["chats"], shown["usage"]["waiting"]) == (2, 2)
    for body in ({"chat_id": "nobody"}, {"message_thread_id": "x"}):
        assert client.post(address, json=body, headers=headers).status_code == 422


def test_syncing_keeps_what_telegram_says_of_each_chat(
    client: FlaskClient, headers: Headers, bot: dict[str, Any], api: BotApi
) -> None:
    address = f"/api/telegram-bots/{bot['id']}"
    done = client.post(f"{address}/sync-info", headers=headers).get_json()
    assert done["complete"] is True
    (chat,) = done["telegram_bot"]["chats"]
    assert (chat["chat_id"], chat["title"], chat["type"], chat["error"]) == (
        "-1001234567890",
        "Team",
        "supergroup",
        None,
    )
    assert done["telegram_bot"]["chat_type"] == "supergroup"
    assert "1001234567890" not in str(stored(bot["id"]).facts)
    api.answers["getChat"] = Refusal(400, "Bad Request: chat not found")
    client.patch(address, json={"chat_ids": ["-1001234567890", "5"]}, headers=headers)
    done = client.post(f"{address}/sync-info", headers=headers).get_json()
    assert [one["error"] for one in done["telegram_bot"]["chats"]] == ["chat_not_found"] * 2
