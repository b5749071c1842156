"""Tokens: what they look like, who may redeem them, and that each counts once."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core import clock
from backend.core.crypto import digest
from backend.core.database import db, system_scope, workspace_scope
from backend.models import AuditEntry, Conversation, LinkToken, Message, Sender, TelegramLink, User
from backend.services import linking
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal
from tests.support.talking import Bot, buttons_of, group, private, somebody, status_of, token_for

LINKED = "Linked successfully"


def stored_tokens() -> list[LinkToken]:
    with system_scope("a test"):
        return list(db.session.execute(select(LinkToken).execution_options(populate_existing=True)).scalars())


def test_a_token_fits_a_deep_link_and_is_stored_as_a_hash_only(ada: User, sender: Sender) -> None:
    token = token_for(ada, sender)
    assert re.fullmatch(rf"user_{ada.id}_[A-Za-z0-9_-]{{22,}}", token)
    assert len(token) <= 64
    (row,) = stored_tokens()
    assert row.token_hash == digest(token)
    assert row.expires_at - row.created_at == timedelta(minutes=10)


def test_the_longest_id_still_fits() -> None:
    assert len(f"user_{2**63 - 1}_" + "x" * 32) <= 64


@pytest.mark.parametrize("words", ["/start {}", "/link {}", "/START {}", "{}", "  {}\n", "/link@example_bot {}"])
def test_every_way_of_sending_the_token_links_the_chat(ada: User, bot: Bot, words: str) -> None:
    bot.says(words.format(token_for(ada, bot.sender)))
    status = status_of(ada, bot.sender)
    assert (status.enabled, status.chat_id, status.state) == (True, "5001", "active")
    said = bot.said()
    assert len(said) == 1
    assert LINKED in said[0]
    assert "a***@example.com" in said[0]
    assert "ada@" not in said[0]
    assert buttons_of(bot.messages()[0])[0].startswith("link:notme:")


def test_the_link_belongs_to_the_token_s_workspace_also_where_the_bot_is_another_s(eve: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(eve, bot.sender)}")
    with system_scope("a test"):
        link = db.session.execute(select(TelegramLink)).scalar_one()
        messages = db.session.execute(select(Message)).scalars().all()
    assert link.workspace_id == eve.workspace_id != bot.sender.workspace_id
    assert {message.workspace_id for message in messages} == {eve.workspace_id}


def test_the_history_holds_the_message_without_the_secret(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    bot.says(f"/start {token}")
    with system_scope("a test"):
        inbound = db.session.execute(select(Message).where(Message.direction == "in")).scalar_one()
    assert token not in str(inbound.body)
    assert inbound.body["parts"][0]["text"].startswith(f"/start user_{ada.id}_")
    assert inbound.state == "received"


def test_a_token_counts_once(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    bot.says(f"/start {token}")
    bot.says(f"/start {token}", by=somebody(5002))
    assert status_of(ada, bot.sender).chat_id == "5001"
    assert "used already" in bot.said(private(5002))[0]


def test_tapping_start_twice_is_no_error(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    bot.says(f"/start {token}")
    bot.says(f"/start {token}")
    assert "is linked to a***@example.com" in bot.said()[1]


def test_a_token_expires_after_ten_minutes(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    clock.move(600)
    bot.says(f"/start {token}")
    assert "expired" in bot.said()[0]
    assert not status_of(ada, bot.sender).enabled
    assert stored_tokens()[0].used_at is None


def test_just_before_ten_minutes_it_still_counts(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    clock.move(595)
    bot.says(f"/start {token}")
    assert status_of(ada, bot.sender).enabled


@pytest.mark.parametrize("token", ["user_1_" + "x" * 32, "user_1_short", "user_abc", "user_1_" + "x" * 80, "user_"])
def test_an_invented_token_gets_a_helpful_answer(ada: User, bot: Bot, token: str) -> None:
    bot.says(f"/start {token}")
    assert "do not know this link" in bot.said()[0]


def test_a_token_of_another_bot_is_unknown_and_stays_good(ada: User, bot: Bot) -> None:
    other = Bot(factories.bot())
    token = token_for(ada, other.sender)
    bot.says(f"/start {token}")
    assert "do not know this link" in bot.said()[0]
    other.says(f"/start {token}")
    assert status_of(ada, other.sender).enabled


@pytest.mark.parametrize("mark", ["forwarded", "edited", "channel_post", "anonymous"])
def test_a_message_that_proves_nothing_never_redeems(ada: User, bot: Bot, mark: str) -> None:
    token = token_for(ada, bot.sender)
    marks: dict[str, Any] = {mark: True}
    bot.says(f"/start {token}", **marks)
    assert not status_of(ada, bot.sender).enabled
    assert stored_tokens()[0].used_at is None
    bot.says(f"/start {token}")
    assert status_of(ada, bot.sender).enabled


def test_a_forwarded_token_is_told_why(ada: User, bot: Bot) -> None:
    bot.says(token_for(ada, bot.sender), forwarded=True)
    assert "forwarded message cannot link" in bot.said()[0]


def test_a_disabled_account_cannot_be_linked(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    with workspace_scope(ada.workspace_id):
        ada.disabled_at = clock.now()
        db.session.commit()
    bot.says(f"/start {token}")
    assert "do not know this link" in bot.said()[0]


def test_a_chat_of_somebody_else_is_not_taken_and_the_token_stays_good(ada: User, eve: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    token = token_for(eve, bot.sender)
    bot.says(f"/start {token}")
    assert "already linked to another account (a***@example.com)" in bot.said()[1]
    assert status_of(ada, bot.sender).enabled
    assert not status_of(eve, bot.sender).enabled
    # The chat's own person may let go of the first link, and then the same token counts.
    bot.press(buttons_of(bot.messages()[1])[0])
    bot.says(f"/start {token}")
    assert status_of(eve, bot.sender).enabled
    assert not status_of(ada, bot.sender).enabled


def test_linking_another_chat_moves_the_link_and_tells_the_old_one(ada: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    bot.says(f"/start {token_for(ada, bot.sender)}", by=somebody(5002))
    assert status_of(ada, bot.sender).chat_id == "5002"
    assert "no longer arrive here" in bot.said(private(5001))[-1]
    with system_scope("a test"):
        assert len(db.session.execute(select(TelegramLink)).scalars().all()) == 1


def test_what_still_waited_in_the_old_chat_is_canceled(ada: User, bot: Bot) -> None:
    from backend.channels.base import Content
    from backend.services import delivery

    bot.says(f"/start {token_for(ada, bot.sender)}")
    with workspace_scope(ada.workspace_id):
        chat = db.session.execute(select(Conversation)).scalar_one()
        mine = delivery.send(chat, Content("mine"), kind="notification", user_id=ada.id)
        other = delivery.send(chat, Content("another's"), kind="alert")
        db.session.commit()
    bot.says(f"/start {token_for(ada, bot.sender)}", by=somebody(5002))
    states = {message.id: (message.state, message.error) for message in bot.messages()}
    assert states[mine.id] == ("canceled", "link_moved")
    assert states[other.id] == ("queued", None)


def test_a_link_leaves_an_audit_entry_without_any_chat_id(ada: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    with system_scope("a test"):
        entries = db.session.execute(select(AuditEntry).order_by(AuditEntry.id)).scalars().all()
    assert [entry.action for entry in entries][-2:] == ["telegram.link_requested", "telegram.linked"]
    assert entries[-1].subject == f"user:{ada.id}"
    assert "5001" not in str(entries[-1].detail)


def test_the_chat_id_is_stored_encrypted(ada: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}", by=somebody(987654321))
    with system_scope("a test"):
        chat = db.session.execute(select(Conversation)).scalar_one()
    assert chat.chat_id == "987654321"
    assert b"987654321" not in chat.chat_id_encrypted


# --- groups ---


def test_an_administrator_links_a_group(ada: User, bot: Bot, api: BotApi) -> None:
    api.admin(5001)
    event = bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", chat=group())
    status = status_of(ada, bot.sender)
    assert (status.enabled, status.chat_id, status.kind) == (True, "-2001", "group")
    assert LINKED in bot.said(group())[0]
    assert bot.messages(group())[0].reply_to == event.message_id
    assert api.called("getChatMember") == [{"chat_id": -2001, "user_id": 5001}]


def test_a_member_who_is_no_administrator_cannot_and_burns_nothing(ada: User, bot: Bot, api: BotApi) -> None:
    api.admin(1)
    token = token_for(ada, bot.sender)
    bot.says(f"/start@example_bot {token}", chat=group())
    assert bot.said(group()) == ["Only an administrator of this group can do that."]
    assert not status_of(ada, bot.sender).enabled
    bot.says(f"/start {token}")
    assert status_of(ada, bot.sender).chat_id == "5001"


def test_where_telegram_cannot_be_asked_nothing_is_linked(ada: User, bot: Bot, api: BotApi) -> None:
    api.answers["getChatMember"] = Refusal(500, "Internal Server Error")
    bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", chat=group())
    assert "try again" in bot.said(group())[0]
    assert stored_tokens()[0].used_at is None


def test_the_list_of_administrators_decides_where_members_may_not_be_asked_for(
    ada: User, bot: Bot, api: BotApi
) -> None:
    api.answers["getChatMember"] = Refusal(400, "Bad Request: member not found")
    person = {"id": 5001, "is_bot": False, "first_name": "Sam"}
    api.answers["getChatAdministrators"] = [{"status": "creator", "user": person}]
    bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", chat=group())
    assert status_of(ada, bot.sender).enabled


def test_an_anonymous_administrator_is_told_to_write_in_their_own_name(ada: User, bot: Bot, api: BotApi) -> None:
    from backend.channels.inbound import Person

    anonymous = Person("1087968824", "Group", is_bot=True)
    bot.says(f"/start@example_bot {token_for(ada, bot.sender)}", by=anonymous, chat=group(), anonymous=True)
    assert "anonymous message cannot link" in bot.said(group())[0]
    assert not status_of(ada, bot.sender).enabled
    assert api.called("getChatMember") == []


@pytest.mark.parametrize("words", ["/start {}", "/start@other_bot {}", "{}"])
def test_a_group_is_not_linked_by_what_does_not_name_the_bot(ada: User, bot: Bot, api: BotApi, words: str) -> None:
    api.admin(5001)
    bot.says(words.format(token_for(ada, bot.sender)), chat=group())
    assert not status_of(ada, bot.sender).enabled
    assert bot.said(group()) == []


# --- two at once ---


def test_of_two_chats_with_one_token_one_wins(ada: User, bot: Bot, app: Flask) -> None:
    token = token_for(ada, bot.sender)
    outcomes = redeem_at_once(app, bot.sender.id, [(token, 5001 + number) for number in range(4)])
    assert sorted(outcomes) == ["linked", "used", "used", "used"]
    with system_scope("a test"):
        assert len(db.session.execute(select(TelegramLink)).scalars().all()) == 1


def test_of_two_people_with_one_chat_one_wins_and_the_other_s_token_stays_good(
    ada: User, eve: User, bot: Bot, app: Flask
) -> None:
    tokens = [token_for(ada, bot.sender), token_for(eve, bot.sender)]
    outcomes = redeem_at_once(app, bot.sender.id, [(token, 5001) for token in tokens])
    assert sorted(outcomes) == ["elsewhere", "linked"]
    assert sorted(row.used_at is None for row in stored_tokens()) == [False, True]


def test_two_tokens_of_one_person_in_two_chats_leave_one_link(ada: User, bot: Bot, app: Flask) -> None:
    tokens = [token_for(ada, bot.sender) for _ in range(3)]
    outcomes = redeem_at_once(app, bot.sender.id, [(token, 5001 + n) for n, token in enumerate(tokens)])
    assert outcomes == ["linked"] * 3
    with system_scope("a test"):
        assert len(db.session.execute(select(TelegramLink)).scalars().all()) == 1


def redeem_at_once(app: Flask, sender_id: int, attempts: list[tuple[str, int]]) -> list[str]:
    """Redeems in as many transactions at once; the outcomes in no order."""
    outcomes: list[str] = []
    gate = threading.Barrier(len(attempts))

    def attempt(token: str, chat_id: int) -> None:
        with app.app_context(), system_scope("a test"):
            sender = db.session.get_one(Sender, sender_id)
            db.session.rollback()
            gate.wait(60)
            outcome = linking.redeem(sender, token, private(chat_id), somebody(chat_id)).outcome
            db.session.commit()
            outcomes.append(outcome)

    threads = [threading.Thread(target=attempt, args=one) for one in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == len(attempts)
    return outcomes
