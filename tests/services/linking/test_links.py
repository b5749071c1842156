"""Links while they last: refused, left, blocked, restored, moved with their group."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.channels.base import Content
from backend.core import clock, events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import AuditEntry, Conversation, Identity, LinkToken, Sender, TelegramLink, User
from backend.services import conversations, delivery, linking
from backend.services.dispatch.events import RecipientUnreachable
from backend.services.linking.events import LinkRefused
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


def actions() -> list[str]:
    with system_scope("a test"):
        return list(db.session.execute(select(AuditEntry.action).order_by(AuditEntry.id)).scalars())


def notify(person: User, text: str = "news", **options: Any) -> Any:
    """A notification that waits in the person's chat."""
    with workspace_scope(person.workspace_id):
        link = db.session.execute(select(TelegramLink).where(TelegramLink.user_id == person.id)).scalar_one()
        chat = db.session.get_one(Conversation, link.conversation_id, populate_existing=True)
        message = delivery.send(chat, Content(text), kind="notification", user_id=person.id, **options)
        db.session.commit()
    return message


# --- this wasn't me ---


def test_this_was_not_me_unlinks_voids_open_tokens_and_tells_the_owner(ada: User, linked: Bot) -> None:
    open_token = token_for(ada, linked.sender)
    told: list[LinkRefused] = []
    listener = events.subscribe(LinkRefused, told.append)
    try:
        linked.press(buttons_of(linked.messages()[0])[0])
    finally:
        events.unsubscribe(LinkRefused, listener)
    status = status_of(ada, linked.sender)
    assert (status.enabled, status.state, status.code) == (False, "none", "link_refused")
    assert "did not ask for this link" in (status.message or "")
    assert told == [LinkRefused(ada.workspace_id, ada.id, linked.sender.id)]
    assert "telegram.link_refused" in actions()
    assert "was removed" in linked.answers()[0]
    linked.says(f"/start {open_token}")
    assert "used already" in linked.said()[-1]


def test_the_pressed_message_itself_says_what_became_of_the_link(ada: User, linked: Bot) -> None:
    message = linked.messages()[0]
    deliver(message, "77")
    linked.press(buttons_of(message)[0], message_id="77")
    (shown,) = linked.messages()
    assert "was removed" in text_of(shown)
    assert buttons_of(shown) == []


def test_a_status_is_clean_again_after_the_next_link(ada: User, linked: Bot) -> None:
    linked.press(buttons_of(linked.messages()[0])[0])
    linked.says(f"/start {token_for(ada, linked.sender)}")
    assert status_of(ada, linked.sender).state == "active"
    with workspace_scope(ada.workspace_id):
        linking.unlink_account(factories.by(f"user:{ada.id}"), ada, linked.sender)
        db.session.commit()
    assert status_of(ada, linked.sender).code == "link_refused"


def test_somebody_else_s_chat_cannot_press_it(ada: User, linked: Bot) -> None:
    data = buttons_of(linked.messages()[0])[0]
    linked.press(data, by=somebody(6666))
    linked.press(data, by=somebody(6666), chat=private(5001))
    assert status_of(ada, linked.sender).enabled
    assert linked.answers() == ["This is no longer available.", "That is not yours to decide."]


def test_a_member_of_a_group_cannot_end_its_link_and_an_administrator_can(ada: User, bot: Bot, api: BotApi) -> None:
    api.admin(5001)
    bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", chat=group())
    data = buttons_of(bot.messages(group())[0])[0]
    bot.press(data, by=somebody(5002), chat=group())
    assert status_of(ada, bot.sender).enabled
    bot.press(data, by=somebody(5001), chat=group())
    assert not status_of(ada, bot.sender).enabled


@pytest.mark.parametrize(
    "data",
    [
        "link:notme:999", "link:notme:x", "link:notme:", "link:notme:" + "9" * 30, "link:", "link:explode:1",
        "shop:buy:1", "", ":",
    ],
)  # fmt: skip
def test_a_stale_or_strange_button_is_answered(ada: User, linked: Bot, data: str) -> None:
    linked.press(data)
    assert linked.answers() == ["This is no longer available."]
    assert status_of(ada, linked.sender).enabled


# --- unlinking ---


def test_unlinking_tells_the_chat_and_cancels_what_waits(ada: User, linked: Bot) -> None:
    waiting = notify(ada)
    with workspace_scope(ada.workspace_id):
        assert linking.unlink_account(factories.by(f"user:{ada.id}"), ada, linked.sender)
        assert not linking.unlink_account(factories.by(f"user:{ada.id}"), ada, linked.sender)
        db.session.commit()
    assert "no longer linked" in linked.said()[-1]
    states = {message.id: message.error for message in linked.messages()}
    assert states[waiting.id] == "unlinked"
    assert status_of(ada, linked.sender).message == "No Telegram chat is linked."
    with system_scope("a test"):
        assert db.session.execute(select(Identity.user_id)).scalars().all() == [None]


def test_of_two_who_unlink_at_once_one_does_it(ada: User, linked: Bot, app: Flask) -> None:
    gate = threading.Barrier(3)
    results: list[bool] = []

    def unlink(workspace_id: int, user_id: int, sender_id: int) -> None:
        with app.app_context(), workspace_scope(workspace_id):
            person, sender = db.session.get_one(User, user_id), db.session.get_one(Sender, sender_id)
            db.session.rollback()
            gate.wait(60)
            results.append(linking.unlink_account(factories.by("cli"), person, sender))
            db.session.commit()

    ids = ada.workspace_id, ada.id, linked.sender.id
    threads = [threading.Thread(target=unlink, args=ids) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [False, False, True]
    assert [text for text in linked.said() if "no longer linked" in text] == linked.said()[-1:]


# --- blocking ---


def test_blocking_disables_the_link_and_cancels_what_waits(ada: User, linked: Bot) -> None:
    waiting = notify(ada)
    clock.move(1)
    linked.membership("kicked")
    status = status_of(ada, linked.sender)
    assert (status.enabled, status.state, status.code) == (False, "blocked", "blocked")
    assert "blocked the bot" in (status.message or "")
    assert status.chat_id == "5001"
    assert {m.id: m.error for m in linked.messages()}[waiting.id] == "blocked"
    assert notify(ada).state == "canceled"


@pytest.mark.parametrize("order", ["start first", "member first", "start only", "member only"])
def test_unblocking_and_start_restore_it_in_either_order(ada: User, linked: Bot, order: str) -> None:
    clock.move(1)
    linked.membership("kicked")
    clock.move(1)
    first = [lambda: linked.says("/start"), lambda: linked.membership("member")]
    acts = {"start first": first, "member first": first[::-1], "start only": first[:1], "member only": first[1:]}
    for act in acts[order]:
        act()
    assert status_of(ada, linked.sender).enabled
    assert notify(ada).state == "queued"


def test_old_news_of_a_block_does_not_undo_a_later_start(ada: User, linked: Bot) -> None:
    blocked_at = clock.now()
    clock.move(5)
    linked.says("/start")
    linked.membership("kicked", at=blocked_at)
    assert status_of(ada, linked.sender).enabled


def test_linking_anew_restores_a_blocked_chat(ada: User, linked: Bot) -> None:
    clock.move(1)
    linked.membership("kicked")
    linked.says(f"/start {token_for(ada, linked.sender)}")
    assert status_of(ada, linked.sender).enabled
    assert notify(ada).state == "queued"


@pytest.mark.parametrize("disables", [True, False])
def test_an_unreachable_recipient_disables_the_link_where_the_outbox_says_so(
    ada: User, linked: Bot, disables: bool
) -> None:
    with system_scope("as the outbox records"):
        hashed = conversations.chat_hash("telegram_bot", linked.sender.id, "5001")
        events.publish(RecipientUnreachable(linked.sender.id, hashed, "deactivated", disables))
    commit()
    status = status_of(ada, linked.sender)
    assert status.enabled is not disables
    if disables:
        assert (status.code, "deleted" in (status.message or "")) == ("deactivated", True)


@pytest.mark.parametrize(("gone", "code"), [("kicked", "kicked"), ("left", "left")])
def test_a_bot_removed_from_its_group_and_added_again(ada: User, bot: Bot, api: BotApi, gone: str, code: str) -> None:
    api.admin(5001)
    bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", chat=group())
    clock.move(1)
    bot.membership(gone, chat=group())
    assert status_of(ada, bot.sender).code == code
    bot.membership("member", chat=group())
    assert status_of(ada, bot.sender).enabled


# --- groups that become supergroups ---


def test_a_supergroup_keeps_the_link_and_what_waits(ada: User, bot: Bot, api: BotApi) -> None:
    api.admin(5001)
    bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", chat=group())
    notify(ada)
    bot.migrates(-2001, -1002001)
    bot.migrates(-2001, -1002001)
    status = status_of(ada, bot.sender)
    assert (status.enabled, status.chat_id, status.kind) == (True, "-1002001", "supergroup")
    supergroup = group(-1002001, "supergroup")
    assert [message.state for message in bot.messages(supergroup)] == ["queued", "queued"]
    bot.says("/status@example_bot", chat=supergroup)
    assert "Linked to a***@example.com" in bot.said(supergroup)[-1]


def test_only_the_bot_s_own_links_are_restored_by_start(ada: User, eve: User, linked: Bot) -> None:
    linked.says(f"/start {token_for(eve, linked.sender)}", by=somebody(5002))
    clock.move(1)
    linked.membership("kicked")
    linked.says("/start", by=somebody(5002))
    assert not status_of(ada, linked.sender).enabled
    assert status_of(eve, linked.sender).enabled


def test_expired_tokens_are_forgotten_after_a_day(ada: User, bot: Bot) -> None:
    token_for(ada, bot.sender)
    clock.move(timedelta(days=1, minutes=11).total_seconds())
    token_for(ada, bot.sender)
    with system_scope("a test"):
        assert len(db.session.execute(select(LinkToken)).scalars().all()) == 1
