"""Bots and channels in the console: who may do what, what a form says of a mistake, and that no token is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from backend.core.config import BotConfig
from backend.core.database import db, system_scope
from backend.models import AuditEntry, IdempotencyKey, Message, Sender, User, Workspace
from tests.http import callers, holdings, routes
from tests.http.console.conftest import Browser
from tests.support.bot_api import NO_WEBHOOK, BotApi, Refusal, bot_api, settings_with

TOKEN = "4242:FAKE-TOKEN-visibly-fake-for-tests"
NEW = {"name": "Deploy", "token": TOKEN, "chat_ids": "-1001234567890", "is_active": "on"}


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api() as running:
        yield running


@pytest.fixture
def browser(api: BotApi, app, person: User) -> Browser:
    return Browser(app, person)


@pytest.fixture
def bot_id(browser: Browser) -> int:
    made = browser.post("/console/bots", NEW)
    assert made.status_code == 303, made.text
    return int(made.headers["Location"].rsplit("/", 1)[1])


def stored(bot_id: int) -> Sender:
    db.session.rollback()
    with system_scope("a test"):
        return db.session.get_one(Sender, bot_id, populate_existing=True)


def counted(model: type) -> int:
    db.session.rollback()
    with system_scope("a test"):
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def audited() -> set[str]:
    with system_scope("a test"):
        return set(db.session.scalars(select(AuditEntry.action)))


# --- list, page, languages ---


def test_an_empty_list_leads_to_the_form(browser):
    page = browser.get("/console/bots")
    assert "No bots yet" in page.text
    assert "/console/bots/new" in page.text


def test_a_bot_is_listed_and_shown_without_its_token(browser, bot_id):
    for address in ("/console/bots", f"/console/bots/{bot_id}", f"/console/bots/{bot_id}/change"):
        page = browser.get(address)
        assert page.status_code == 200
        assert "Deploy" in page.text
        assert TOKEN not in page.text
    shown = browser.get(f"/console/bots/{bot_id}").text
    assert "4242:…ests" in shown
    assert "-1001234567890" in shown
    assert "@example_bot" in browser.get("/console/bots").text


def test_both_pages_speak_korean(browser, bot_id):
    browser.post("/console/preferences", {"locale": "ko", "back": "/console/"})
    assert "봇과 채널" in browser.get("/console/bots").text
    shown = browser.get(f"/console/bots/{bot_id}").text
    assert "테스트 보내기" in shown
    refused = browser.post("/console/bots", NEW | {"token": "nonsense", "name": "Other"})
    assert "봇 토큰 형식이 아닙니다" in refused.text


def test_a_bot_of_another_workspace_is_not_there(app, browser, bot_id):
    other = Browser(app, callers.member(email="other@example.com"))
    before = routes.fingerprint()
    for address in ("", "/change", "/webhook", "/chats"):
        assert other.get(f"/console/bots/{bot_id}{address}").status_code == 404
    for address in ("test", "validate", "sync", "webhook", "webhook/delete", "secret", "change", "token", "remove"):
        answer = other.post(f"/console/bots/{bot_id}/{address}", {"name": "x", "token": TOKEN})
        assert answer.status_code == 404, address
    assert routes.fingerprint() == before
    assert "Deploy" not in other.get("/console/bots").text


def test_roles_see_what_they_may_do(app, browser, person, bot_id):
    home = workspace_of(person)
    viewer, operator = (Browser(app, callers.member(home, role)) for role in ("viewer", "operator"))
    address = f"/console/bots/{bot_id}"
    seen, acting = viewer.get(address).text, operator.get(address).text
    assert f"{address}/test" not in seen
    assert f"{address}/test" in acting
    for act in ("validate", "webhook", "secret", "remove", "change"):
        assert f"{address}/{act}" not in acting
        assert operator.post(f"{address}/{act}").status_code == 403
    assert viewer.post(f"{address}/test").status_code == 403


def workspace_of(person: User) -> Workspace:
    return holdings.home(person)


# --- create, change, token, remove ---


def test_a_bot_is_added_after_telegram_said_whose_it_is(browser, bot_id, api):
    bot = stored(bot_id)
    assert (bot.name, bot.username, bot.chat_ids) == ("Deploy", "example_bot", ("-1001234567890",))
    assert api.called("getMe")
    assert "bot.created" in audited()


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", "Name is needed."),
        ({"name": "@deploy"}, "name", "begins with no @"),
        ({"token": ""}, "token", "Token is needed."),
        ({"token": "nonsense"}, "token", "look like a bot’s token"),
        ({"chat_ids": "team"}, "chat_ids", "-1001234567890, or a public name"),
        ({"chat_ids": "-1,-2", "message_thread_id": "7"}, "message_thread_id", "A topic belongs to one chat"),
        ({"message_thread_id": "x"}, "message_thread_id", "positive number"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_stored(browser, api, change, field, words):
    before = routes.fingerprint()
    refused = browser.post("/console/bots", NEW | change)
    assert refused.status_code == 422
    assert f'id="{field}-err"' in refused.text
    assert words in refused.text
    assert TOKEN not in refused.text
    assert not api.called("getMe")
    assert routes.fingerprint() == before


def test_the_same_form_may_be_sent_again_after_telegram_was_away(browser, api):
    """Asking ends the transaction in the middle: the form must not count as under way since then."""
    known = api.answers.get("getMe")
    api.answers["getMe"] = Refusal(502, "Bad Gateway")
    form = NEW | {"form_id": "one"}
    assert browser.post("/console/bots", form).status_code == 503
    if known is None:
        del api.answers["getMe"]
    else:
        api.answers["getMe"] = known
    assert browser.post("/console/bots", form).status_code == 303
    assert counted(IdempotencyKey) == 0


def test_a_token_that_telegram_refuses_or_cannot_judge_adds_nothing(browser, api):
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    refused = browser.post("/console/bots", NEW)
    assert refused.status_code == 422
    assert 'id="token-err"' in refused.text
    assert "Copy it again from @BotFather" in refused.text
    assert 'value="Deploy"' in refused.text
    api.answers["getMe"] = Refusal(502, "Bad Gateway")
    away = browser.post("/console/bots", NEW)
    assert away.status_code == 503
    assert "Telegram cannot be reached" in away.text
    assert counted(Sender) == 0


def test_the_same_bot_is_added_once_also_when_the_form_is_sent_twice(browser, bot_id):
    again = browser.post("/console/bots", NEW)
    assert again.status_code == 409
    assert "already" in again.text
    assert counted(Sender) == 1


def test_name_chats_topic_and_state_are_changed(browser, bot_id):
    form = {"name": "Release", "chat_ids": "@example\n", "message_thread_id": "42"}
    assert browser.post(f"/console/bots/{bot_id}/change", form).status_code == 303
    bot = stored(bot_id)
    assert (bot.name, bot.chat_ids, bot.message_thread_id, bot.is_active) == ("Release", ("@example",), "42", False)
    refused = browser.post(f"/console/bots/{bot_id}/change", form | {"name": "", "chat_ids": "?"})
    assert refused.status_code == 422
    assert 'id="chat_ids-err"' in refused.text or 'id="name-err"' in refused.text
    assert stored(bot_id).name == "Release"


def test_a_bot_that_telegram_refused_stays_refused_when_its_name_is_saved(browser, bot_id, api):
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    browser.post(f"/console/bots/{bot_id}/validate")
    code = stored(bot_id).disabled_code
    assert code is not None
    assert "Telegram refused the token" in browser.get(f"/console/bots/{bot_id}").text
    browser.post(f"/console/bots/{bot_id}/change", {"name": "Renamed", "chat_ids": "-5"})
    assert (stored(bot_id).name, stored(bot_id).disabled_code) == ("Renamed", code)


def test_a_new_token_of_the_same_bot_ends_a_refusal_and_another_bots_is_refused(browser, bot_id, api):
    before = dict(api.answers)
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    browser.post(f"/console/bots/{bot_id}/validate")
    api.answers |= before
    address = f"/console/bots/{bot_id}/token"
    other = browser.post(address, {"token": "777:FAKE-TOKEN-of-another-bot"})
    assert other.status_code == 409
    assert "another bot" in other.text
    assert browser.post(address, {"token": ""}).status_code == 422
    assert not stored(bot_id).is_active
    assert browser.post(address, {"token": "4242:FAKE-TOKEN-the-new-one"}).status_code == 303
    bot = stored(bot_id)
    assert (bot.is_active, bot.disabled_code, bot.credentials) == (True, None, "4242:FAKE-TOKEN-the-new-one")


def test_a_new_token_does_not_switch_on_what_a_person_switched_off(browser, bot_id):
    browser.post(f"/console/bots/{bot_id}/change", {"name": "Deploy", "chat_ids": "-5"})
    browser.post(f"/console/bots/{bot_id}/token", {"token": "4242:FAKE-TOKEN-the-new-one"})
    assert not stored(bot_id).is_active


def test_a_removed_bot_is_gone(browser, bot_id):
    assert "Remove Deploy?" in browser.get(f"/console/bots/{bot_id}").text
    assert browser.post(f"/console/bots/{bot_id}/remove").status_code == 303
    assert browser.get(f"/console/bots/{bot_id}").status_code == 404
    assert stored(bot_id).credentials is None


# --- asking Telegram ---


def test_a_test_is_queued_for_the_bots_chats(browser, bot_id):
    assert browser.post(f"/console/bots/{bot_id}/test", {"message": "Hello"}).status_code == 303
    assert counted(Message) == 1


def test_a_test_with_a_bad_chat_says_so_at_the_field(browser, bot_id):
    refused = browser.post(f"/console/bots/{bot_id}/test", {"chat_id": "?", "message": "Keep me"})
    assert refused.status_code == 422
    assert 'id="chat_id-err"' in refused.text
    assert "Keep me" in refused.text
    assert counted(Message) == 0


def test_a_bot_that_is_off_sends_no_test(browser, bot_id):
    browser.post(f"/console/bots/{bot_id}/change", {"name": "Deploy", "chat_ids": "-5"})
    refused = browser.post(f"/console/bots/{bot_id}/test", {})
    assert refused.status_code == 409
    assert "switched off" in refused.text
    assert counted(Message) == 0


def test_the_webhook_is_registered_looked_at_and_deleted(browser, bot_id, api):
    address = f"/console/bots/{bot_id}"
    assert "Not asked yet" in browser.get("/console/bots").text
    assert browser.post(f"{address}/webhook").status_code == 303
    url = api.called("setWebhook")[0]["url"]
    api.answers["getWebhookInfo"] = NO_WEBHOOK | {"url": url, "pending_update_count": 3}
    part = browser.get(f"{address}/webhook", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert url in part
    assert "Here" in part
    assert url in browser.get(f"{address}/webhook").text
    assert browser.post(f"{address}/secret").status_code == 303
    assert browser.post(f"{address}/webhook/delete").status_code == 303
    assert "Polling" in browser.get("/console/bots").text
    assert {"bot.webhook_registered", "bot.secret_rotated", "bot.webhook_deleted"} <= audited()


def test_when_telegram_cannot_be_asked_the_page_says_so(browser, bot_id, api):
    for method in ("getMe", "getWebhookInfo", "setWebhook", "deleteWebhook"):
        api.answers[method] = Refusal(502, "Bad Gateway")
    for act in ("validate", "sync", "webhook", "webhook/delete", "secret"):
        answer = browser.post(f"/console/bots/{bot_id}/{act}")
        assert answer.status_code == 503, act
        assert "Telegram cannot be reached" in answer.text
        assert "Deploy" in answer.text
    for part in ("webhook", "chats"):
        answer = browser.get(f"/console/bots/{bot_id}/{part}", headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert "Telegram cannot be reached" in answer.text


def test_information_is_synced_and_chats_are_found(browser, bot_id, api):
    assert browser.post(f"/console/bots/{bot_id}/sync").status_code == 303
    assert "Team" in browser.get(f"/console/bots/{bot_id}").text
    api.answers["getUpdates"] = [
        {
            "update_id": 1,
            "message": {
                "message_id": 1,
                "date": 1700000000,
                "chat": {"id": -77, "type": "group", "title": "Finders"},
                "from": {"id": 5, "is_bot": False, "first_name": "X"},
                "text": "hi",
            },
        }
    ]
    found = browser.get(f"/console/bots/{bot_id}/chats").text
    assert "-77" in found
    assert "Finders" in found


# --- what a name means ---


@pytest.mark.parametrize(
    ("name", "words"),
    [("deploy", "A bot of this page"), ("nobody", "means no bot that works"), ("DEPLOY", "A bot of this page")],
)
def test_a_name_tells_its_level_and_chats(browser, bot_id, name, words):
    with settings_with(telegram_bot_token="", telegram_bot_configs=()):
        part = browser.get(f"/console/bots/meaning?name={name}", headers={"HX-Request": "true"}).text
    assert words in part
    if name.lower() == "deploy":
        assert "-1001234567890" in part


def test_what_a_name_means_makes_no_bot_and_shows_no_token(browser, bot_id):
    before = counted(Sender)
    entry = BotConfig(name="night", token="98:FAKE-TOKEN-of-an-entry", chat_ids="-8")
    with settings_with(telegram_bot_token="", telegram_bot_configs=(entry,)):
        page = browser.get("/console/bots/meaning?name=Night").text
    assert "TELEGRAM_BOT_CONFIGS" in page
    assert "-8" in page
    assert "FAKE-TOKEN" not in page
    assert counted(Sender) == before


def test_the_environments_bot_serves_every_name(browser, bot_id):
    with settings_with(telegram_bot_token="99:FAKE-TOKEN-of-the-environment", telegram_chat_ids=("-9",)):
        page = browser.get("/console/bots/meaning?name=whatever").text
    assert "TELEGRAM_BOT_TOKEN" in page
    assert "-9" in page
    assert "FAKE-TOKEN" not in page
