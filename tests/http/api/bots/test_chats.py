"""Chats of a bot, its webhook's secret, and what Telegram is asked about both."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from backend.core.database import db, system_scope
from backend.models import Workspace
from backend.services import conversations, delivery
from backend.services.senders import webhook_verifier
from tests.http import callers
from tests.http.api.bots.conftest import TOKEN, Headers, stored
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal


def test_a_group_that_becomes_a_supergroup_stays_the_bots_chat(
    client: FlaskClient, headers: Headers, home: Workspace, bot: dict[str, Any]
) -> None:
    client.patch(f"/api/telegram-bots/{bot['id']}", json={"chat_ids": ["-77", "5"]}, headers=headers)
    with system_scope("as the outbox records it"):
        conversations.rekey(bot["id"], "-77", "-1001111111111")
        db.session.commit()
    assert stored(bot["id"]).chat_ids == ("-1001111111111", "5")


def test_a_chat_that_cannot_be_reached_shows_at_its_bot(
    client: FlaskClient, headers: Headers, home: Workspace, bot: dict[str, Any]
) -> None:
    address = f"/api/telegram-bots/{bot['id']}"
    client.patch(address, json={"chat_ids": ["-77", "-1001111111111", "5"]}, headers=headers)
    with system_scope("as the outbox records it"):
        sender = stored(bot["id"])
        for chat_id in ("-77", "-1001111111111"):
            factories.conversation(home, sender, chat_id, kind="group")
        hashes = [conversations.chat_hash(sender.channel, sender.id, one) for one in ("-77", "-1001111111111")]
        delivery.block(sender.id, hashes[0], "kicked")
        delivery.mark_unreachable(sender.id, hashes[1], "topic_closed")
        db.session.commit()
    shown = client.get(address, headers=headers).get_json()
    shown = shown.get("telegram_bot", shown)
    assert [(chat["state"], chat["code"]) for chat in shown["chats"]] == [
        ("closed", "kicked"),
        ("unreachable", "topic_closed"),
        ("ok", None),
    ]
    assert [chat["since"] is None for chat in shown["chats"]] == [False, False, True]
    assert shown["unreachable_chats"] == 2


# --- webhooks ---


def test_a_new_secret_refuses_no_update_on_the_way(
    client: FlaskClient, headers: Headers, bot: dict[str, Any], api: BotApi
) -> None:
    address = f"/api/telegram-bots/{bot['id']}"

    def accepts(secret: str) -> bool:
        webhook_verifier.forget()
        header = {"X-Telegram-Bot-Api-Secret-Token": secret}
        return (
            client.post(f"/api/telegram/webhook/{bot['id']}/", json={"update_id": 1}, headers=header).status_code == 200
        )

    url = client.post(f"{address}/register-webhook", json={}, headers=headers).get_json()["url"]
    assert url == bot["webhook_url"]
    first = api.called("setWebhook")[-1]["secret_token"]
    api.answers["getWebhookInfo"] = {"url": url, "pending_update_count": 3}
    assert client.get(f"{address}/webhook-info", headers=headers).get_json()["ours"] is True
    # Telegram cannot be told: both are good, for nobody knows which one it has.
    api.answers["setWebhook"] = Refusal(502, "Bad Gateway")
    away = client.post(f"{address}/rotate-secret", headers=headers)
    assert callers.error_of(away, 503)["code"] == "bot_unavailable"
    second = api.called("setWebhook")[-1]["secret_token"]
    assert first != second
    assert accepts(first)
    assert accepts(second)
    api.answers["setWebhook"] = True
    assert client.post(f"{address}/rotate-secret", headers=headers).get_json()["registered"] is True
    third = api.called("setWebhook")[-1]["secret_token"]
    assert accepts(third)
    assert not accepts(first)
    assert not accepts(second)
    assert stored(bot["id"]).webhook_secret == third
    assert client.post(f"{address}/delete-webhook", json={}, headers=headers).status_code == 200
    assert api.called("deleteWebhook")


def test_without_a_webhook_here_a_new_secret_is_told_to_nobody(
    client: FlaskClient, headers: Headers, bot: dict[str, Any], api: BotApi
) -> None:
    done = client.post(f"/api/telegram-bots/{bot['id']}/rotate-secret", headers=headers).get_json()
    assert done == {"status": "success", "registered": False}
    assert api.called("setWebhook") == []


# --- tokens and chats ---


def test_discovering_tells_chats_and_topics_and_takes_no_update_away(
    client: FlaskClient, headers: Headers, api: BotApi
) -> None:
    group = {"id": -1001234567890, "type": "supergroup", "title": "Team", "is_forum": True}
    person = {"id": 5001, "is_bot": False, "first_name": "Sam"}
    private = {"id": 5001, "type": "private", "first_name": "Sam"}
    topic = {"is_topic_message": True, "message_thread_id": 7}
    common = {"date": 1, "from": person, "text": "hi"}
    api.answers["getUpdates"] = [
        {"update_id": 1, "message": common | {"message_id": 1, "chat": private}},
        {"update_id": 2, "message": common | {"message_id": 2, "chat": group} | topic},
        {"update_id": 3, "message": common | {"message_id": 3, "chat": group}},
        {"update_id": 4, "something_new": {}},
    ]  # fmt: skip
    found = client.post("/api/telegram/discover-chats", json={"token": TOKEN}, headers=headers).get_json()
    assert [(one["chat_id"], one["title"], one["thread_ids"]) for one in found["chats"]] == [
        ("5001", "Sam", []),
        ("-1001234567890", "Team", ["7"]),
    ]
    assert (found["webhook_set"], found["note"]) == (False, None)
    assert all("offset" not in params for params in api.called("getUpdates"))


def test_a_webhook_in_the_way_is_said_and_known_chats_are_shown(
    client: FlaskClient, headers: Headers, bot: dict[str, Any], api: BotApi
) -> None:
    client.post(f"/api/telegram-bots/{bot['id']}/test", json={"chat_id": "5"}, headers=headers)
    api.answers["getWebhookInfo"] = {"url": bot["webhook_url"], "pending_update_count": 0}
    found = client.get(f"/api/telegram-bots/{bot['id']}/discover-chats", headers=headers).get_json()
    assert found["webhook_set"] is True
    assert "webhook is set" in found["note"]
    assert [one["chat_id"] for one in found["chats"]] == ["5"]
    assert api.called("getUpdates") == []


def test_a_token_and_a_chat_are_looked_up(client: FlaskClient, headers: Headers, api: BotApi) -> None:
    valid = client.post("/api/telegram/validate-token/", json={"token": TOKEN}, headers=headers).get_json()
    assert (valid["valid"], valid["bot"]["id"], valid["bot"]["username"]) == (True, "4242", "example_bot")
    chat = client.post(
        "/api/telegram/lookup-chat", json={"token": TOKEN, "chat": "@Example"}, headers=headers
    ).get_json()
    assert (chat["chat_id"], chat["type"], chat["title"]) == ("-1001234567890", "supergroup", "Team")
    api.answers["getChat"] = Refusal(400, "Bad Request: chat not found")
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    missing = client.post("/api/telegram/lookup-chat", json={"token": TOKEN, "chat": "5"}, headers=headers)
    assert callers.error_of(missing, 404)["code"] == "chat_not_found"
    refused = client.post("/api/telegram/validate-token", json={"token": TOKEN}, headers=headers).get_json()
    assert (refused["valid"], refused["code"]) == (False, "token_refused")
    for body in ({"token": "x", "chat": "5"}, {"token": TOKEN, "chat": "me"}):
        assert client.post("/api/telegram/lookup-chat", json=body, headers=headers).status_code == 422


def test_no_error_of_telegrams_shows_a_token(client: FlaskClient, headers: Headers, api: BotApi, caplog: Any) -> None:
    api.answers["getMe"] = Refusal(400, f"Bad Request: https://x/bot{TOKEN}/getMe is odd")
    answer = client.post("/api/telegram/validate-token", json={"token": TOKEN}, headers=headers)
    assert answer.status_code == 422
    assert TOKEN not in answer.text
    assert TOKEN not in caplog.text
