"""What people can ask the bot, in private and in groups, in their language."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import AuditEntry, Message, NotificationSettings, User, Workspace
from backend.services import notifications
from backend.services.bots.command_menu import menus
from tests.support import factories
from tests.support.bot_api import BotApi
from tests.support.talking import (
    Bot,
    buttons_of,
    commit,
    deliver,
    group,
    private,
    somebody,
    status_of,
    text_of,
    token_for,
)


@pytest.fixture
def linked(ada: User, bot: Bot) -> Bot:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    return bot


def last(bot: Bot) -> str:
    return bot.said()[-1]


def inbound() -> list[Message]:
    with system_scope("a test"):
        rows = db.session.execute(select(Message).where(Message.direction == "in").order_by(Message.id)).scalars()
        return list(rows)


@pytest.mark.parametrize("words", ["/start", "/link", "/start campaign-7"])
def test_a_stranger_is_told_how_to_link(bot: Bot, words: str) -> None:
    bot.says(words)
    assert "link this chat to your account" in last(bot)


def test_a_bare_link_in_a_linked_chat_says_whose_it_is(linked: Bot) -> None:
    linked.says("/link")
    assert last(linked) == "This chat is linked to a***@example.com."
    assert buttons_of(linked.messages()[-1])[0].startswith("link:leave:")


def test_leaving_by_the_button(ada: User, linked: Bot) -> None:
    linked.says("/status")
    linked.press(buttons_of(linked.messages()[-1])[0])
    assert not status_of(ada, linked.sender).enabled
    assert "no longer linked" in linked.answers()[0]


def test_help_lists_every_command(bot: Bot) -> None:
    bot.says("/help")
    for name in ("start", "help", "link", "status", "stop", "settings"):
        assert f"/{name} – " in last(bot)


def test_status_of_a_stranger_and_of_a_linked_person(bot: Bot, ada: User) -> None:
    bot.says("/status")
    assert "not linked" in last(bot)
    bot.says(f"/start {token_for(ada, bot.sender)}")
    with workspace_scope(ada.workspace_id):
        notifications.change(
            factories.by("cli"), ada, {"quiet_hours": {"start": "22:00", "end": "07:30"}, "timezone": "Asia/Seoul"}
        )
        db.session.commit()
    bot.says("/status")
    assert last(bot).split("\n") == [
        "🔗 Linked to a***@example.com",
        "🔔 Notifications are on",
        "🌙 Quiet from 22:00 to 07:30 (Asia/Seoul)",
    ]


def test_stop_pauses_and_start_resumes(ada: User, linked: Bot) -> None:
    linked.says("/stop")
    assert status_of(ada, linked.sender).state == "paused"
    assert "paused" in last(linked)
    linked.says("/status")
    assert "paused" in last(linked)
    linked.says("/start")
    assert status_of(ada, linked.sender).state == "active"
    assert "notifications are on" in last(linked)
    with system_scope("a test"):
        actions = list(db.session.execute(select(AuditEntry.action).order_by(AuditEntry.id)).scalars())
    assert actions[-2:] == ["telegram.paused", "telegram.resumed"]


def test_stop_of_a_stranger(bot: Bot) -> None:
    bot.says("/stop")
    assert "not linked" in last(bot)


@pytest.mark.parametrize("words", ["/frobnicate", "/start2", "/settings_all please"])
def test_an_unknown_command_gets_a_helpful_answer(bot: Bot, words: str) -> None:
    bot.says(words)
    assert "/status" in last(bot)


def test_other_words_of_a_stranger_are_answered_once_an_hour(bot: Bot) -> None:
    bot.says("hello")
    bot.says("anybody there?")
    assert len(bot.said()) == 1
    clock.move(3500)
    bot.says("hello?")
    assert len(bot.said()) == 1
    clock.move(101)
    bot.says("hello??")
    assert len(bot.said()) == 2
    assert len(inbound()) == 4


def test_other_words_of_a_linked_person_are_kept_and_not_answered(ada: User, linked: Bot) -> None:
    before = len(linked.said())
    linked.says("thank you")
    assert len(linked.said()) == before
    assert inbound()[-1].body["parts"][0]["text"] == "thank you"
    assert inbound()[-1].user_id == ada.id


def test_the_bot_s_own_messages_and_other_bots_are_passed_over(bot: Bot) -> None:
    from backend.channels.inbound import Person

    bot.says("/help", by=Person("900", "Robot", is_bot=True))
    assert bot.said(private(900)) == []
    assert inbound() == []


def test_an_edited_message_changes_the_history_and_is_no_command(bot: Bot) -> None:
    bot.says("helo", message_id="11")
    bot.says("/help", message_id="11", edited=True)
    (message,) = inbound()
    assert (message.body["parts"][0]["text"], message.version) == ("/help", 2)
    assert len(bot.said()) == 1


def test_a_forwarded_command_is_not_obeyed(ada: User, linked: Bot) -> None:
    linked.says("/stop", forwarded=True)
    assert status_of(ada, linked.sender).state == "active"


# --- languages ---


def test_a_stranger_is_answered_in_the_language_of_their_telegram(bot: Bot) -> None:
    bot.says("/help", by=somebody(language="ko-KR"))
    assert "일시 중지" in last(bot)
    bot.says("/help", by=somebody(language="fr"))
    assert "Pause notifications" in last(bot)


def test_a_linked_person_is_answered_in_the_language_of_their_account(ada: User, linked: Bot) -> None:
    with workspace_scope(ada.workspace_id):
        notifications.change(factories.by("cli"), ada, {"locale": "ko"})
        db.session.commit()
    linked.says("/status", by=somebody(language="en"))
    assert "연동된 계정" in last(linked)


def test_the_menus_are_in_both_languages_and_fit_telegram_s_bounds() -> None:
    found = menus()
    assert set(found) == {None, "en", "ko"}
    for entries in found.values():
        assert [entry.name for entry in entries] == ["start", "help", "link", "status", "stop", "settings"]
        assert all(1 <= len(entry.description) <= 256 for entry in entries)


# --- settings ---


def test_settings_show_language_quiet_hours_and_types(linked: Bot) -> None:
    linked.says("/settings")
    shown = linked.messages()[-1]
    assert "Language: English" in text_of(shown)
    assert "Quiet hours: off" in text_of(shown)
    data = buttons_of(shown)
    assert "settings:type:post_success" in data
    assert data[-2:] == ["settings:locale:ko", "settings:quiet:on"]
    assert all(len(one.encode()) <= 64 for one in data)


def test_a_type_is_switched_and_the_message_shows_it(ada: User, linked: Bot) -> None:
    linked.says("/settings")
    shown = linked.messages()[-1]
    deliver(shown, "90")
    linked.press("settings:type:post_success", message_id="90")
    linked.press("settings:type:alerts", message_id="90")
    with system_scope("a test"):
        types = db.session.execute(select(NotificationSettings.types)).scalar_one()
        rows = db.session.execute(select(AuditEntry.action, AuditEntry.actor).order_by(AuditEntry.id))
        audit = [(row.action, row.actor) for row in rows]
    assert types == {"post_success": False, "alerts": True}
    assert audit[-2:] == [("notification_type.muted", "telegram"), ("notification_type.unmuted", "telegram")]
    labels = [button["text"] for row in linked.messages()[-1].body["parts"][0]["buttons"] for button in row]
    assert "🔕 Post published" in labels
    assert "✅ Alerts" in labels
    assert linked.answers() == ["Saved", "Saved"]


def test_language_and_quiet_hours_are_switched(ada: User, linked: Bot) -> None:
    linked.press("settings:locale:ko")
    linked.press("settings:quiet:on")
    with workspace_scope(ada.workspace_id):
        db.session.refresh(ada)
        found = notifications.preferences_of(ada)
    assert (found.locale, found.quiet_hours) == ("ko", {"start": "22:00", "end": "08:00"})
    assert linked.answers() == ["저장했습니다", "저장했습니다"]


@pytest.mark.parametrize("data", ["settings:type:nothing", "settings:locale:xx", "settings:quiet:maybe", "settings:"])
def test_a_setting_that_is_none_is_gone(linked: Bot, data: str) -> None:
    linked.press(data)
    assert linked.answers() == ["This is no longer available."]


def test_settings_of_a_stranger(bot: Bot) -> None:
    bot.says("/settings")
    assert "not linked" in last(bot)
    bot.press("settings:type:post_success")
    assert bot.answers() == ["This is no longer available."]


# --- notifications' buttons ---


def test_a_button_of_a_notification_reaches_its_feature(ada: User, linked: Bot) -> None:
    linked.press("notify:mute:post_success")
    assert linked.answers() == ["Muted: “Post published”. You will not be notified of these any more."]


# --- groups ---


@pytest.mark.parametrize("words", ["/help", "/help@other_bot", "hello", "/unknown"])
def test_a_group_s_own_talk_is_neither_answered_nor_kept(bot: Bot, words: str) -> None:
    bot.says(words, chat=group())
    assert bot.said(group()) == []
    assert inbound() == []


@pytest.mark.parametrize("words", ["/help@example_bot", "/HELP@Example_Bot", "/unknown@example_bot"])
def test_a_group_is_answered_when_it_names_the_bot(bot: Bot, words: str) -> None:
    event = bot.says(words, chat=group())
    (message,) = bot.messages(group())
    assert "/status" in text_of(message)
    assert message.reply_to == event.message_id


def test_only_an_administrator_pauses_a_group(ada: User, bot: Bot, api: BotApi) -> None:
    api.admin(5001)
    bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", chat=group())
    bot.says("/stop@example_bot", by=somebody(5002), chat=group())
    assert status_of(ada, bot.sender).state == "active"
    assert "Only an administrator" in bot.said(group())[-1]
    bot.says("/stop@example_bot", chat=group())
    assert status_of(ada, bot.sender).state == "paused"
    bot.says("/start@example_bot", by=somebody(5002), chat=group())
    assert status_of(ada, bot.sender).state == "paused"
    bot.says("/start@example_bot", chat=group())
    assert status_of(ada, bot.sender).state == "active"


def test_settings_are_not_shown_in_a_group(ada: User, bot: Bot, api: BotApi) -> None:
    api.admin(5001)
    bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", chat=group())
    bot.says("/settings@example_bot", chat=group())
    assert "private chat" in bot.said(group())[-1]
    bot.press("settings:type:post_success", chat=group())
    assert bot.answers() == ["That is not yours to decide."]


def test_a_bot_of_the_database_answers_in_a_group_where_it_is_named(ada: User, api: BotApi) -> None:
    with system_scope("a test"):
        home = db.session.get_one(Workspace, ada.workspace_id)
    own = Bot(factories.bot(home, username="deploy_example_bot"))
    commit()
    team = group()
    own.says("/help@deploy_example_bot", chat=team, message_id="77")
    own.says("/help", chat=team)
    own.says("/help@example_bot", chat=team)
    (answer,) = own.messages(team)
    assert "/settings – " in text_of(answer)
    # As a reply it stays in its topic.
    assert (answer.reply_to, answer.workspace_id) == ("77", home.id)
    api.admin(5001)
    own.says(f"/start@Deploy_Example_Bot {token_for(ada, own.sender)}", chat=team)
    assert "Linked successfully" in own.said(team)[-1]
