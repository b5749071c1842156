"""A host application links its own people: it names them by its own id, and they need no password here."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from backend.models import User, Workspace
from tests.http import callers
from tests.support.talking import Bot
from tests.support.telegram_callers import Headers, ada, api, bot, eve, home, me, sender

__all__ = ["ada", "api", "bot", "eve", "home", "me", "sender"]

LINK = "/api/telegram/link-account"


@pytest.fixture
def host(home: Workspace, bot: Bot) -> Headers:
    """The host application: an admin of the workspace."""
    return callers.signed_in(callers.member(home, "admin"))


def test_a_person_known_only_to_the_host_application_is_linked_and_notified(
    client: FlaskClient, host: Headers, bot: Bot
) -> None:
    whom = "?external_user_id=shop-42"
    token = client.get(LINK + whom, headers=host).get_json()["token"]
    bot.says(f"/start {token}")
    status = client.get(f"/api/telegram/status{whom}", headers=host).get_json()
    assert (status["telegram_enabled"], status["telegram_chat_id"]) == (True, "5001")
    event = {"type": "post_failure", "external_user_id": "shop-42", "data": {"platform": "x", "error": "e"}}
    assert client.post("/api/events", json=event, headers=host).get_json()["decision"] == "queued"
    assert client.post(f"/api/telegram/send-test-message{whom}", headers=host).status_code == 200
    verified = {"token": token, "chat_id": "5001", "external_user_id": "shop-42"}
    assert client.post("/api/telegram/verify-link", json=verified, headers=host).status_code == 200
    assert client.post(f"/api/telegram/unlink-account{whom}", headers=host).status_code == 200
    assert client.get(f"/api/telegram/status{whom}", headers=host).get_json()["telegram_enabled"] is False


def test_naming_somebody_else_takes_the_scope(client: FlaskClient, me: Headers, bot: Bot, home: Workspace) -> None:
    other = callers.member(home)
    for address in (f"{LINK}?user_id={other.id}", f"{LINK}?external_user_id=shop-42"):
        assert callers.error_of(client.get(address, headers=me), 403)["code"] == "scope_missing"


def test_who_signs_in_links_only_themselves(client: FlaskClient, host: Headers, ada: User, bot: Bot) -> None:
    """A link is where a person proves to the bot who they are: not even an admin makes it for them."""
    named = f"user_id={ada.id}"
    assert callers.error_of(client.get(f"{LINK}?{named}", headers=host), 403)["code"] == "person_signs_in"
    for path in ("unlink-account", "send-test-message"):
        callers.error_of(client.post(f"/api/telegram/{path}?{named}", headers=host), 403)
    assert client.get(f"/api/telegram/status?{named}", headers=host).status_code == 200


def test_a_token_that_only_reads_makes_no_link(client: FlaskClient, home: Workspace, bot: Bot) -> None:
    reader = callers.with_token(callers.member(home, "operator"), ["read", "people:act"])
    callers.error_of(client.get(LINK, headers=reader), 403)
    callers.error_of(client.get(f"{LINK}?external_user_id=shop-42", headers=reader), 403)


def test_looking_makes_nobody(client: FlaskClient, host: Headers) -> None:
    for path in ("status", "diagnostics"):
        callers.error_of(client.get(f"/api/telegram/{path}?external_user_id=ghost", headers=host), 404)


def test_nobody_of_another_workspace_can_be_named(client: FlaskClient, host: Headers, eve: User) -> None:
    for path in ("link-account", "status", "diagnostics"):
        callers.error_of(client.get(f"/api/telegram/{path}?user_id={eve.id}", headers=host), 404)
    for path in ("send-test-message", "unlink-account"):
        callers.error_of(client.post(f"/api/telegram/{path}?user_id={eve.id}", headers=host), 404)


def test_a_token_is_good_only_for_the_person_it_was_made_for(client: FlaskClient, host: Headers, bot: Bot) -> None:
    token = client.get(f"{LINK}?external_user_id=shop-42", headers=host).get_json()["token"]
    body = {"token": token, "chat_id": "5001", "external_user_id": "shop-43"}
    callers.error_of(client.post("/api/telegram/verify-link", json=body, headers=host), 404)
