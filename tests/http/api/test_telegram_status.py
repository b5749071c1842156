"""One's link over HTTP once it is there: status, test message, unlinking, diagnostics."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import AuditEntry, User
from backend.services import senders
from tests.http import callers
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal
from tests.support.talking import Bot, token_for
from tests.support.telegram_callers import Headers, ada, api, bot, eve, home, me, sender

__all__ = ["ada", "api", "bot", "eve", "home", "me", "sender"]


# --- status ---


def test_status_before_and_after_linking(client: FlaskClient, me: Headers, ada: User, bot: Bot) -> None:
    before = client.get("/api/telegram/status", headers=me).get_json()
    assert before["telegram_enabled"] is False
    assert before["message"] == "Telegram account not linked. Use /link-account endpoint to connect."
    assert before.get("telegram_chat_id") is None
    bot.says(f"/start {token_for(ada, bot.sender)}")
    after = client.get("/api/telegram/status", headers=me).get_json()
    assert after["telegram_enabled"] is True
    assert after["telegram_chat_id"] == "5001"
    assert after["linked_at"].endswith("Z")
    assert after["state"] == "active"


def test_status_while_blocked_and_paused(client: FlaskClient, me: Headers, ada: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    bot.says("/stop")
    paused = client.get("/api/telegram/status", headers=me).get_json()
    assert (paused["telegram_enabled"], paused["state"]) == (True, "paused")
    clock.move(1)
    bot.membership("kicked")
    blocked = client.get("/api/telegram/status", headers=me).get_json()
    assert (blocked["telegram_enabled"], blocked["state"], blocked["code"]) == (False, "blocked", "blocked")
    assert "Unblock it" in blocked["message"]


def test_everybody_sees_their_own_link_only(client: FlaskClient, me: Headers, eve: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(eve, bot.sender)}")
    assert client.get("/api/telegram/status", headers=me).get_json()["telegram_enabled"] is False
    client.post("/api/telegram/unlink-account", headers=me)
    theirs = client.get("/api/telegram/status", headers=callers.signed_in(eve)).get_json()
    assert theirs["telegram_enabled"] is True


def test_status_without_any_bot(client: FlaskClient) -> None:
    person = callers.member(factories.workspace())
    answer = client.get("/api/telegram/status", headers=callers.signed_in(person))
    assert (answer.status_code, answer.get_json()["telegram_enabled"]) == (200, False)


# --- test message, unlinking ---


def test_a_test_message_is_stored_and_answered(client: FlaskClient, me: Headers, ada: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    key = {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = client.post("/api/telegram/send-test-message", headers=me | key)
        assert answer.status_code == 200
        assert answer.get_json() == {"status": "success", "message": "Test message sent successfully"}
    assert [text for text in bot.said() if "working" in text] == [
        "🧪 Test message\n\nThe Telegram connection is working! ✅"
    ]


def test_without_a_link_there_is_no_test_message(client: FlaskClient, me: Headers, bot: Bot) -> None:
    answer = client.post("/api/telegram/send-test-message", headers=me)
    assert callers.error_of(answer, 409)["code"] == "not_linked"
    assert bot.said() == []


def test_unlinking_succeeds_and_again(client: FlaskClient, me: Headers, ada: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    first = client.post("/api/telegram/unlink-account", headers=me)
    assert (first.status_code, first.get_json()) == (
        200,
        {"status": "success", "message": "Telegram account unlinked successfully"},
    )
    second = client.post("/api/telegram/unlink-account", headers=me)
    assert (second.status_code, second.get_json()) == (200, first.get_json())
    assert client.get("/api/telegram/status", headers=me).get_json()["telegram_enabled"] is False
    with system_scope("a test"):
        entry = db.session.execute(select(AuditEntry).where(AuditEntry.action == "telegram.unlinked")).scalar_one()
    assert entry.actor == f"user:{ada.id}"


# --- diagnostics ---


def checks(client: FlaskClient, headers: Headers) -> dict[str, tuple[bool | None, str]]:
    answer = client.get("/api/telegram/diagnostics", headers=headers)
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["ok"] is all(one["ok"] is not False for one in body["checks"])
    return {one["check"]: (one["ok"], one["detail"]) for one in body["checks"]}


def test_diagnostics_of_what_works(client: FlaskClient, me: Headers, ada: User, bot: Bot, api: BotApi) -> None:
    api.answers["getWebhookInfo"] = {"url": senders.webhook_address(bot.sender), "pending_update_count": 2}
    api.answers["getMe"]["can_read_all_group_messages"] = False
    bot.says(f"/start {token_for(ada, bot.sender)}")
    found = checks(client, me)
    assert set(found) == {
        "bot_configured", "bot_reachable", "token_valid", "bot_active", "privacy_mode", "webhook_secret",
        "webhook_address", "last_update", "last_error", "chat_id_well_formed", "link_state", "notifications_on",
        "last_failed_send",
    }  # fmt: skip
    assert all(ok is True for ok, _ in found.values()), found
    assert found["webhook_address"][1].endswith("(2 waiting)")
    assert found["privacy_mode"][1].startswith("On")
    assert found["chat_id_well_formed"][1] == "5001"


def test_diagnostics_name_what_does_not(client: FlaskClient, me: Headers, ada: User, bot: Bot, api: BotApi) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    bot.says("/stop")
    failed = bot.messages()[0]
    with system_scope("a test"):
        failed.state, failed.error = "failed", "chat_not_found"
    callers.commit()
    clock.move(-3600)
    error_at = int(clock.unix()) + 7200
    clock.reset()
    api.answers["getWebhookInfo"] = {
        "url": "https://elsewhere.example/hook",
        "pending_update_count": 0,
        "last_error_message": "Connection refused",
        "last_error_date": error_at,
    }
    found = checks(client, me)
    wrong = {name for name, (ok, _) in found.items() if ok is False}
    assert wrong == {"webhook_address", "last_error", "link_state", "notifications_on", "last_failed_send"}
    assert "elsewhere.example" in found["webhook_address"][1]
    assert "Connection refused" in found["last_error"][1]
    assert "chat_not_found" in found["last_failed_send"][1]


def test_diagnostics_of_a_refused_token(client: FlaskClient, me: Headers, bot: Bot, api: BotApi) -> None:
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    found = checks(client, me)
    assert found["bot_reachable"][0] is True
    assert found["token_valid"][0] is False
    assert found["bot_active"] == (False, "Switched off (token_refused).")


def test_diagnostics_while_telegram_is_away(client: FlaskClient, me: Headers) -> None:
    found = checks(client, me)
    assert found["bot_reachable"][0] is False
    assert found["token_valid"][0] is None
    assert found["webhook_address"][0] is None


def test_diagnostics_without_a_bot(client: FlaskClient, no_bot: None) -> None:
    person = callers.member(factories.workspace())
    found = checks(client, callers.signed_in(person))
    assert list(found) == ["bot_configured"]
    assert found["bot_configured"][0] is False


def test_diagnostics_never_show_a_token(client: FlaskClient, me: Headers, bot: Bot, api: BotApi) -> None:
    token = bot.sender.credentials or "?"
    api.answers["getWebhookInfo"] = Refusal(400, f"Bad Request: {token}")
    answer = client.get("/api/telegram/diagnostics", headers=me)
    assert token.split(":")[1] not in answer.get_data(as_text=True)
