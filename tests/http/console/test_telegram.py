"""My Telegram: linking, the checklist, settings with errors at their fields, a test message, unlinking."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import AuditEntry, LinkToken, Message, NotificationSettings, TelegramLink, User
from tests.http import callers, holdings
from tests.http.console.conftest import Browser

SETTINGS = {
    "locale": "en",
    "timezone": "Europe/Lisbon",
    "daily_summary_at": "08:30",
    "quiet_start": "22:00",
    "quiet_end": "07:00",
    "type.post_failure": "on",
}


def rows(model):
    with system_scope("a test"):
        return list(db.session.scalars(select(model)))


@pytest.fixture
def bot(person):
    made = holdings.default_bot(person)
    callers.commit()
    return made


@pytest.fixture
def linked(person, bot):
    holdings.linked(person)
    callers.commit()


def test_looking_makes_no_link_and_pressing_makes_one(browser, bot):
    page = browser.get("/console/telegram").text
    assert f"@{bot.username}" in page
    assert rows(LinkToken) == []
    shown = browser.post("/console/telegram/link").text
    assert f"https://t.me/{bot.username}?start=user_" in shown
    assert "<svg" in shown.split('class="qr"')[1]
    assert "data-left" in shown
    assert len(rows(LinkToken)) == 1


def test_without_a_bot_the_page_says_so(browser, no_bot):
    assert "no Telegram bot yet" in browser.get("/console/telegram").text
    refused = browser.post("/console/telegram/link")
    assert refused.status_code == 503
    assert "no Telegram bot yet" in refused.text
    assert rows(LinkToken) == []


def test_a_bot_whose_name_cannot_be_asked_for_makes_no_link(browser, bot):
    with system_scope("a test"):
        bot.username = None
    callers.commit()
    refused = browser.post("/console/telegram/link")
    assert refused.status_code == 503
    assert "could not be asked" in refused.text
    assert rows(LinkToken) == []


def test_the_page_is_led_to_itself_only_when_the_link_has_changed(browser, linked):
    same = browser.get("/console/telegram/state?shown=active")
    assert same.status_code == 204
    assert "HX-Redirect" not in same.headers
    changed = browser.get("/console/telegram/state?shown=none")
    assert changed.headers["HX-Redirect"] == "/console/telegram"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"paused_at": "now"}, "Send it /start"),
        ({"state": "blocked", "disabled_code": "blocked"}, "You have blocked the bot"),
        ({"state": "blocked", "disabled_code": "kicked"}, "removed from the group"),
        ({"state": "blocked", "disabled_code": "of_tomorrow"}, "does not let the bot write"),
    ],
)
def test_a_link_that_rests_says_why(browser, linked, values, said):
    with system_scope("a test"):
        link = db.session.scalars(select(TelegramLink)).one()
        for name, value in values.items():
            setattr(link, name, clock.now() if value == "now" else value)
    callers.commit()
    assert said in browser.get("/console/telegram").text


def test_the_checklist_names_every_check_and_what_to_do(browser, linked):
    listed = browser.get("/console/telegram/checks")
    assert listed.status_code == 200
    for name in ("bot_configured", "bot_reachable", "token_valid", "webhook_address", "link_state", "last_failed_send"):
        assert f'id="check-{name}"' in listed.text
    assert "It is asked again by itself." in listed.text


def test_the_checklist_without_a_bot(browser, no_bot):
    assert 'id="check-bot_configured"' in browser.get("/console/telegram/checks").text


def test_settings_are_saved_as_they_stand_in_the_form(browser, person, linked):
    response = browser.post("/console/telegram/settings", SETTINGS)
    assert response.status_code == 303
    assert "Settings saved" in browser.get("/console/telegram").text
    (row,) = rows(NotificationSettings)
    assert (row.quiet_start, row.quiet_end, row.daily_summary_at) == ("22:00", "07:00", "08:30")
    assert row.daily_summary_when_empty is False
    assert row.types["post_failure"] is True
    assert row.types["post_success"] is False
    with system_scope("a test"):
        assert db.session.get_one(User, person.id, populate_existing=True).timezone == "Europe/Lisbon"
    assert "notification_settings.changed" in {one.action for one in rows(AuditEntry)}


def test_empty_quiet_hours_turn_them_off(browser):
    browser.post("/console/telegram/settings", SETTINGS)
    browser.post("/console/telegram/settings", SETTINGS | {"quiet_start": "", "quiet_end": ""})
    (row,) = rows(NotificationSettings)
    assert (row.quiet_start, row.quiet_end) == (None, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timezone": "Mars/Phobos"}, "timezone"),
        ({"daily_summary_at": "25:00"}, "daily_summary_at"),
        ({"quiet_start": "22:00", "quiet_end": "22:00"}, "quiet_end"),
        ({"quiet_start": "22:00", "quiet_end": ""}, "quiet_end"),
        ({"quiet_start": "late"}, "quiet_start"),
        ({"locale": "fr"}, "locale"),
    ],
)
def test_a_refused_setting_is_named_at_its_field_and_nothing_is_changed(browser, change, field):
    refused = browser.post("/console/telegram/settings", SETTINGS | change)
    assert refused.status_code == 422
    assert f'id="{field}-err"' in refused.text
    assert f'href="#{field}"' in refused.text
    for typed in change.values():
        if typed != "fr":
            assert f'value="{typed}"' in refused.text
    assert rows(NotificationSettings) == []


def test_errors_are_said_in_the_persons_language(browser):
    browser.post("/console/preferences", {"locale": "ko", "back": "/console/"})
    refused = browser.post("/console/telegram/settings", SETTINGS | {"locale": "ko", "timezone": "Mars/Phobos"})
    assert "Asia/Seoul 같은 시간대 이름이 아닙니다" in refused.text


def test_a_test_message_is_queued_for_who_is_linked(browser, linked):
    assert browser.post("/console/telegram/test").status_code == 303
    assert [one.kind for one in rows(Message)] == ["test"]


def test_a_test_message_without_a_link_says_what_to_do(browser, bot):
    refused = browser.post("/console/telegram/test")
    assert refused.status_code == 409
    assert "Make a link first" in refused.text
    assert rows(Message) == []


def test_unlinking_ends_the_link_and_may_be_repeated(browser, linked):
    assert 'id="unlink"' in browser.get("/console/telegram").text
    assert browser.post("/console/telegram/unlink").status_code == 303
    assert rows(TelegramLink) == []
    assert browser.post("/console/telegram/unlink").status_code == 303


def test_everybody_links_only_themselves(app, person, linked):
    other = Browser(app, callers.member(role="viewer"))
    assert "Your link" not in other.get("/console/telegram").text
    assert other.post("/console/telegram/unlink").status_code == 303
    assert len(rows(TelegramLink)) == 1


def test_the_page_in_korean(browser, linked):
    browser.post("/console/preferences", {"locale": "ko", "back": "/console/"})
    page = browser.get("/console/telegram").text
    assert "받고 싶은 알림" in page
    assert "내 텔레그램" in page
    assert "토큰 유효" in browser.get("/console/telegram/checks").text
