"""Linking one's Telegram over HTTP: the contract's fields and statuses, line by line."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import LinkConfirmation, LinkToken, Sender, User, Workspace
from backend.services import notifications
from tests.http import callers
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal
from tests.support.talking import Bot, buttons_of, token_for
from tests.support.telegram_callers import Headers, ada, api, bot, eve, home, me, sender

__all__ = ["ada", "api", "bot", "eve", "home", "me", "sender"]


def count_of(model: type) -> int:
    with system_scope("a test"):
        return db.session.execute(select(func.count()).select_from(model)).scalar_one()


# --- link-account ---


def test_link_account_gives_an_address_with_a_token(client: FlaskClient, me: Headers, ada: User, bot: Bot) -> None:
    answer = client.get("/api/telegram/link-account", headers=me)
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["status"] == "success"
    assert re.fullmatch(rf"user_{ada.id}_[A-Za-z0-9_-]+", body["token"])
    assert body["linking_url"] == f"https://t.me/example_bot?start={body['token']}"
    assert body["bot_username"] == "example_bot"
    assert "@example_bot" in body["instructions"]
    expires = datetime.fromisoformat(body["expires_at"])
    assert body["expires_at"].endswith("Z")
    assert 590 < (expires - clock.now()).total_seconds() <= 600
    assert "qr" not in body or body["qr"] is None


def test_a_qr_code_is_drawn_on_request(client: FlaskClient, me: Headers, bot: Bot) -> None:
    picture = client.get("/api/telegram/link-account?qr=1", headers=me).get_json()["qr"]
    root = ElementTree.fromstring(picture)
    assert root.tag.endswith("svg")


def test_instructions_are_in_the_person_s_language(client: FlaskClient, me: Headers, ada: User, bot: Bot) -> None:
    with workspace_scope(ada.workspace_id):
        notifications.change(factories.by("cli"), ada, {"locale": "ko"})
    callers.commit()
    assert "분 동안 유효" in client.get("/api/telegram/link-account", headers=me).get_json()["instructions"]


def test_a_bot_of_the_workspace_may_be_named_and_a_foreign_one_may_not(
    client: FlaskClient, me: Headers, home: Workspace, bot: Bot
) -> None:
    own = factories.bot(home, name="deploy")
    foreign = factories.bot(factories.workspace(), name="foreign")
    callers.commit()
    found = client.get("/api/telegram/link-account?bot=deploy", headers=me).get_json()
    assert found["bot_username"] == "example_bot"  # what getMe says of it
    assert client.get("/api/telegram/link-account?bot=default", headers=me).status_code == 200
    for name in ("foreign", str(foreign.id), "nothing"):
        answer = client.get(f"/api/telegram/link-account?bot={name}", headers=me)
        assert callers.error_of(answer, 404)["code"] == "bot_not_found"
    with system_scope("a test"):
        assert own.id in db.session.execute(select(LinkToken.sender_id)).scalars().all()


def test_while_telegram_is_away_an_unknown_bot_is_unavailable(client: FlaskClient, me: Headers) -> None:
    answer = client.get("/api/telegram/link-account", headers=me)
    assert callers.error_of(answer, 503)["code"] == "bot_unavailable"
    assert answer.headers["Retry-After"] == "5"
    assert count_of(LinkToken) == 0


def test_a_known_bot_stays_available_while_telegram_is_away(client: FlaskClient, me: Headers, bot: Bot) -> None:
    client.get("/api/telegram/link-account", headers=me)
    clock.move(3000)
    assert client.get("/api/telegram/link-account", headers=me).status_code == 200


def test_a_refused_bot_is_unavailable(client: FlaskClient, me: Headers, bot: Bot, api: BotApi) -> None:
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    for _ in range(2):
        answer = client.get("/api/telegram/link-account", headers=me)
        assert callers.error_of(answer, 503)["code"] == "bot_unavailable"
    with system_scope("a test"):
        disabled = db.session.execute(select(Sender.disabled_code)).scalar_one()
    assert disabled == "token_refused"


def test_without_a_bot_nothing_can_be_linked(client: FlaskClient, no_bot: None) -> None:
    person = callers.member(factories.workspace())
    answer = client.get("/api/telegram/link-account", headers=callers.signed_in(person))
    assert callers.error_of(answer, 503)["code"] == "bot_not_configured"


# --- verify-link ---


def test_verify_link_after_the_bot_received_the_token(client: FlaskClient, me: Headers, bot: Bot) -> None:
    token = client.get("/api/telegram/link-account", headers=me).get_json()["token"]
    bot.says(f"/start {token}")
    for _ in range(2):
        answer = client.post("/api/telegram/verify-link", json={"token": token, "chat_id": "5001"}, headers=me)
        assert answer.status_code == 200
        assert answer.get_json() == {
            "status": "success",
            "message": "Telegram account linked successfully",
            "telegram_enabled": True,
        }


def test_verify_link_before_asks_in_the_chat_and_a_repeat_succeeds(client: FlaskClient, me: Headers, bot: Bot) -> None:
    token = client.get("/api/telegram/link-account", headers=me).get_json()["token"]
    wish = {"token": token, "chat_id": "5001"}
    for _ in range(2):
        answer = client.post("/api/telegram/verify-link", json=wish, headers=me)
        assert callers.error_of(answer, 409)["code"] == "confirmation_required"
    (question,) = bot.messages()
    assert count_of(LinkConfirmation) == 1
    bot.press(buttons_of(question)[0])
    assert client.post("/api/telegram/verify-link", json=wish, headers=me).status_code == 200


def test_verify_link_never_moves_a_chat_of_somebody_else(
    client: FlaskClient, me: Headers, ada: User, eve: User, bot: Bot
) -> None:
    bot.says(f"/start {token_for(eve, bot.sender)}")
    wish = {"token": token_for(ada, bot.sender), "chat_id": "5001"}
    answer = client.post("/api/telegram/verify-link", json=wish, headers=me)
    assert callers.error_of(answer, 409)["code"] == "chat_linked_elsewhere"
    assert count_of(LinkConfirmation) == 0


def test_verify_link_is_for_the_token_s_owner(client: FlaskClient, me: Headers, eve: User, bot: Bot) -> None:
    token = token_for(eve, bot.sender)
    for wish in (token, "user_1_" + "x" * 32, "nonsense"):
        answer = client.post("/api/telegram/verify-link", json={"token": wish, "chat_id": "5001"}, headers=me)
        assert callers.error_of(answer, 404)["code"] == "link_token_not_found"
    assert bot.messages() == []


@pytest.mark.parametrize(
    "chat_id", [50.5, None, "", "abc", "@name", "0", "-0", "--5", "5001 ", "٣", "9" * 30, ["5001"], {"id": 1}, True]
)
def test_a_malformed_chat_id_is_invalid(client: FlaskClient, me: Headers, ada: User, bot: Bot, chat_id: Any) -> None:
    wish = {"token": token_for(ada, bot.sender), "chat_id": chat_id}
    answer = client.post("/api/telegram/verify-link", json=wish, headers=me)
    error = callers.error_of(answer, 422)
    assert error["detail"][0]["field"] == "chat_id"
    assert count_of(LinkConfirmation) == 0


@pytest.mark.parametrize("token", [None, 5, "", "x" * 201, []])
def test_a_malformed_token_is_invalid(client: FlaskClient, me: Headers, token: Any) -> None:
    answer = client.post("/api/telegram/verify-link", json={"token": token, "chat_id": "5001"}, headers=me)
    assert callers.error_of(answer, 422)["detail"][0]["field"] == "token"
