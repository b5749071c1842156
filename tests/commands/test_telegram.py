"""`flask telegram`: what it tells Telegram, what it tells a person, and how it fails."""

from __future__ import annotations

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from backend.core.database import db, system_scope
from backend.models import Sender, User, Workspace
from tests.conftest import BOT_TOKEN
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal, settings_with
from tests.support.talking import Bot, commit, token_for


def run(app: Flask, *words: str) -> Result:
    db.session.remove()
    result = app.test_cli_runner().invoke(args=["telegram", *words])
    assert BOT_TOKEN not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def failure_of(result: Result) -> str:
    """The one line of a failure."""
    assert result.exit_code != 0
    lines = [line for line in result.output.splitlines() if line]
    assert len(lines) == 1, result.output
    return lines[0]


def test_registering_sets_webhook_and_menus(app: Flask, home: Workspace, api: BotApi) -> None:
    result = run(app, "register-webhook", "--base-url", "https://x.example", "--drop-pending")
    assert result.exit_code == 0, result.output
    assert "@example_bot" in result.output
    assert "https://x.example/telegram/webhook" in result.output
    (params,) = api.called("setWebhook")
    assert params["drop_pending_updates"] is True
    assert params["secret_token"] == "test-webhook-secret"
    languages = [params.get("language_code") for params in api.called("setMyCommands")]
    assert languages == [None, "en", "ko"]
    menu = api.called("setMyCommands")[2]["commands"]
    assert menu[4] == {"command": "stop", "description": "알림 일시 중지"}


def test_registering_a_bot_of_the_database_makes_it_a_secret(app: Flask, home: Workspace, api: BotApi) -> None:
    bot = factories.bot(home, secret=None)
    commit()
    result = run(app, "register-webhook", "--bot-id", str(bot.id))
    assert result.exit_code == 0, result.output
    (params,) = api.called("setWebhook")
    assert params["url"].endswith(f"/api/telegram/webhook/{bot.id}/")
    with system_scope("a test"):
        stored = db.session.execute(select(Sender).where(Sender.id == bot.id)).scalar_one()
    assert stored.webhook_secret == params["secret_token"]
    assert len(params["secret_token"]) >= 32


@pytest.mark.parametrize("words", [["register-webhook"], ["webhook-info"], ["poll"]])
def test_without_a_token_it_says_so(app: Flask, words: list[str]) -> None:
    with settings_with(telegram_bot_token=""):
        assert failure_of(run(app, *words)) == "Error: TELEGRAM_BOT_TOKEN is not set."


@pytest.mark.parametrize("words", [["register-webhook"], ["webhook-info"], ["poll"]])
def test_an_unknown_bot_is_named(app: Flask, words: list[str]) -> None:
    assert failure_of(run(app, *words, "--bot-id", "77")) == "Error: There is no bot 77."


def test_without_a_secret_it_names_the_variable(app: Flask, api: BotApi) -> None:
    with settings_with(telegram_webhook_secret=""):
        assert "TELEGRAM_WEBHOOK_SECRET" in failure_of(run(app, "register-webhook"))


def test_a_refused_token_is_one_clear_line(app: Flask, api: BotApi) -> None:
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    assert failure_of(run(app, "register-webhook")) == "Error: Telegram: token_refused: Unauthorized"


def test_a_refused_address_is_one_clear_line(app: Flask, api: BotApi) -> None:
    api.answers["setWebhook"] = Refusal(400, "Bad Request: bad webhook: HTTPS url must be provided for webhook")
    assert "HTTPS url must be provided" in failure_of(run(app, "register-webhook"))


def test_telegram_away_is_one_clear_line(app: Flask) -> None:
    assert failure_of(run(app, "register-webhook")).startswith("Error: Telegram: connect")


def test_webhook_info(app: Flask, api: BotApi) -> None:
    api.answers["getWebhookInfo"] = {
        "url": "http://127.0.0.1:8000/telegram/webhook",
        "pending_update_count": 3,
        "last_error_message": "Wrong response",
        "last_error_date": 1_790_000_000,
        "allowed_updates": ["message"],
    }
    result = run(app, "webhook-info")
    assert result.exit_code == 0, result.output
    assert "Waiting      3" in result.output
    assert "Wrong response at 2026-09-21" in result.output


def test_webhook_info_fails_where_updates_go_elsewhere(app: Flask, api: BotApi) -> None:
    api.answers["getWebhookInfo"] = {"url": "https://elsewhere.example/", "pending_update_count": 0}
    result = run(app, "webhook-info")
    assert result.exit_code == 1
    assert "This instance expects http://127.0.0.1:8000/telegram/webhook" in result.output


def test_send_test(app: Flask, ada: User, bot: Bot) -> None:
    assert "No Telegram account is linked" in failure_of(run(app, "send-test", "--email", "ada@example.com"))
    bot.says(f"/start {token_for(ada, bot.sender)}")
    result = run(app, "send-test", "--email", "ADA@example.com")
    assert result.exit_code == 0, result.output
    assert "Test message" in bot.said()[-1]
    assert run(app, "send-test", "--user-id", str(ada.id)).exit_code == 0
    assert failure_of(run(app, "send-test", "--user-id", "999")) == "Error: There is no such person."
    assert run(app, "send-test").exit_code == 2


def test_polling_that_cannot_go_on_is_one_clear_line(app: Flask, api: BotApi) -> None:
    api.answers["getUpdates"] = Refusal(401, "Unauthorized")
    result = run(app, "poll")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == "Error: Telegram refuses the bot's token (token_refused)."
    with system_scope("a test"):
        assert db.session.execute(select(Sender.disabled_code)).scalar_one() == "token_refused"


def test_a_bot_of_the_database_shows_its_own_address(app: Flask, home: Workspace, api: BotApi) -> None:
    bot = factories.bot(home)
    commit()
    api.answers["getWebhookInfo"] = {"url": "https://elsewhere.example/", "pending_update_count": 2}
    line = run(app, "webhook-info", "--bot-id", str(bot.id))
    assert line.exit_code != 0
    assert f"/api/telegram/webhook/{bot.id}/" in line.output


def test_a_bot_that_was_removed_is_none(app: Flask, home: Workspace, api: BotApi) -> None:
    bot = factories.bot(home, is_active=False, deleted_at=home.created_at)
    commit()
    for command in ("webhook-info", "register-webhook", "poll"):
        assert failure_of(run(app, command, "--bot-id", str(bot.id))) == f"Error: There is no bot {bot.id}."
