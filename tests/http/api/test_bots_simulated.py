"""The same calls against the simulated Telegram: what the fakes of the other tests pretend is what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.channels import registry
from backend.core.database import system_scope
from tests.http import callers
from tests.support import engine
from tests.support.bot_api import settings_with
from tests.support.telegram_box import TelegramBox

TOKEN = "7000000042:DEPLOY-simulated-bot-token-not-real"
Headers = dict[str, str]


@pytest.fixture(scope="module")
def simulator() -> Iterator[TelegramBox]:
    with TelegramBox(bots=[f"{TOKEN}:deploy_example_bot"]) as box:
        yield box


@pytest.fixture
def box(app: Flask, simulator: TelegramBox) -> Iterator[TelegramBox]:
    with settings_with(telegram_api_url=simulator.url):
        registry.clear()
        yield simulator
    registry.clear()


def call(client: FlaskClient, headers: Headers, method: str, path: str, body: Any = None) -> Any:
    answer = client.open(f"/api{path}", method=method, json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer.get_json() if answer.text else None


def test_a_bot_from_its_token_to_its_message_in_a_topic(app: Flask, client: FlaskClient, box: TelegramBox) -> None:
    headers = callers.signed_in(callers.member())
    person = box.person("Jonas", username="jonas_example")
    group = box.group("Release team", type="supergroup", is_forum=True, creator=person, bots=["deploy_example_bot"])
    topic = box.topic(group, "Deployments")
    box.say(person, "/start@deploy_example_bot", chat=group, thread_id=topic["id"])

    valid = call(client, headers, "POST", "/telegram/validate-token", {"token": TOKEN})
    assert (valid["valid"], valid["bot"]["username"]) == (True, "deploy_example_bot")
    found = call(client, headers, "POST", "/telegram/discover-chats", {"token": TOKEN})
    (seen,) = [one for one in found["chats"] if one["title"] == "Release team"]
    assert seen["thread_ids"] == [str(topic["id"])]
    assert (seen["type"], found["webhook_set"]) == ("supergroup", False)

    chat = {"chat_ids": [seen["chat_id"]], "message_thread_id": seen["thread_ids"][0]}
    bot = call(client, headers, "POST", "/telegram-bots", {"name": "deploy", "token": TOKEN} | chat)
    synced = call(client, headers, "POST", f"/telegram-bots/{bot['id']}/sync-info")["telegram_bot"]
    assert (synced["chats"][0]["title"], synced["chats"][0]["is_forum"]) == ("Release team", True)
    looked_up = call(client, headers, "POST", "/telegram/lookup-chat", {"token": TOKEN, "chat": seen["chat_id"]})
    assert looked_up["title"] == "Release team"
    missing = client.post("/api/telegram/lookup-chat", json={"token": TOKEN, "chat": "-1009999999999"}, headers=headers)
    assert callers.error_of(missing, 404)["code"] == "chat_not_found"

    call(client, headers, "POST", f"/telegram-bots/{bot['id']}/test", {"message": "Release 4.2 <is> out"})
    with system_scope("a test"):
        engine.run_until(app, engine.idle)
    said = box.accepted("sendMessage")[-1]
    assert said["params"]["text"] == "Release 4.2 <is> out"
    assert str(said["params"]["message_thread_id"]) == seen["thread_ids"][0]


def test_a_webhook_is_registered_found_rotated_and_deleted(client: FlaskClient, box: TelegramBox) -> None:
    headers = callers.signed_in(callers.member())
    body = {"name": "deploy", "token": TOKEN, "chat_ids": ["5"]}
    bot = call(client, headers, "POST", "/telegram-bots", body)
    address = f"/telegram-bots/{bot['id']}"
    url = call(client, headers, "POST", f"{address}/register-webhook", {})["url"]
    info = call(client, headers, "GET", f"{address}/webhook-info")
    assert (info["url"], info["ours"]) == (url, True)
    assert call(client, headers, "POST", "/telegram/discover-chats", {"token": TOKEN})["webhook_set"] is True
    assert call(client, headers, "GET", f"{address}/discover-chats")["webhook_url"] == url
    assert call(client, headers, "POST", f"{address}/rotate-secret")["registered"] is True
    call(client, headers, "DELETE", address)
    assert call(client, headers, "POST", "/telegram/discover-chats", {"token": TOKEN})["webhook_set"] is False


def test_a_revoked_token_is_found_out_and_a_new_one_of_the_same_bot_taken(
    client: FlaskClient, box: TelegramBox
) -> None:
    headers = callers.signed_in(callers.member())
    box.bot("7000000043:FAKE-first-token-not-real", "revoked_example_bot")
    first = {"name": "deploy", "token": "7000000043:FAKE-first-token-not-real", "chat_ids": ["5"]}
    bot = call(client, headers, "POST", "/telegram-bots", first)
    fresh = box.revoke_token("7000000043:FAKE-first-token-not-real")
    refused = call(client, headers, "POST", f"/telegram-bots/{bot['id']}/validate")
    assert refused["valid"] is False
    again = client.post("/api/telegram-bots", json=first | {"name": "again"}, headers=headers)
    assert callers.error_of(again, 422)["code"] == "token_refused"
    changed = call(client, headers, "PATCH", f"/telegram-bots/{bot['id']}", {"token": fresh})
    assert (changed["is_active"], changed["disabled_code"]) == (True, None)
