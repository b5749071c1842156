"""An API call names a chat: it succeeds for the chat that redeemed the token, and asks every other one."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError
from backend.models import LinkConfirmation, LinkToken, User
from backend.services import linking
from tests.support import factories
from tests.support.bot_api import BotApi
from tests.support.talking import Bot, buttons_of, deliver, group, private, somebody, status_of, text_of, token_for


def verify(person: User, token: str, chat_id: str = "5001") -> bool | str:
    """Whether the chat is linked; the code of a refusal."""
    with workspace_scope(person.workspace_id):
        try:
            found = linking.verify(factories.by(f"user:{person.id}"), person, token, chat_id).linked
        except AppError as error:
            db.session.rollback()
            return f"{error.status} {error.code}"
        db.session.commit()
        return found


def test_the_chat_that_redeemed_the_token_is_verified_again_and_again(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    bot.says(f"/start {token}")
    assert verify(ada, token) is True
    clock.move(3600)
    assert verify(ada, token) is True


def test_another_chat_is_asked_once_and_links_by_its_answer(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    assert verify(ada, token) is False
    assert verify(ada, token) is False
    (question,) = bot.messages()
    assert "a***@example.com asks to send its notifications" in text_of(question)
    confirm, refuse = buttons_of(question)
    assert (confirm.split(":")[1], refuse.split(":")[1]) == ("confirm", "refuse")
    deliver(question, "70")
    bot.press(confirm, message_id="70")
    assert bot.answers() == ["Linked successfully"]
    assert verify(ada, token) is True
    assert status_of(ada, bot.sender).chat_id == "5001"
    (shown,) = bot.messages()
    assert "Linked successfully" in text_of(shown)
    assert buttons_of(shown)[0].startswith("link:notme:")


def test_a_refusal_voids_the_token(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    verify(ada, token)
    bot.press(buttons_of(bot.messages()[0])[1])
    assert verify(ada, token) == "404 link_token_not_found"
    assert status_of(ada, bot.sender).code == "link_refused"


def test_an_answer_after_ten_minutes_comes_too_late(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    verify(ada, token)
    clock.move(601)
    bot.press(buttons_of(bot.messages()[0])[0])
    assert bot.answers() == ["This is no longer available."]
    assert not status_of(ada, bot.sender).enabled


def test_nobody_confirms_in_another_chat(ada: User, bot: Bot) -> None:
    verify(ada, token_for(ada, bot.sender))
    bot.press(buttons_of(bot.messages()[0])[0], by=somebody(6666))
    assert bot.answers() == ["This is no longer available."]
    assert not status_of(ada, bot.sender).enabled


def test_a_group_is_confirmed_by_an_administrator_only(ada: User, bot: Bot, api: BotApi) -> None:
    api.admin(5001)
    verify(ada, token_for(ada, bot.sender), "-2001")
    confirm = buttons_of(bot.messages(group())[0])[0]
    bot.press(confirm, by=somebody(5002), chat=group())
    assert not status_of(ada, bot.sender).enabled
    bot.press(confirm, by=somebody(5001), chat=group())
    assert status_of(ada, bot.sender).chat_id == "-2001"


def test_only_the_owner_of_a_token_can_use_it(ada: User, eve: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    assert verify(eve, token) == "404 link_token_not_found"
    bot.says(f"/start {token}")
    assert verify(eve, token) == "404 link_token_not_found"


def test_a_used_token_does_not_verify_another_chat(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    bot.says(f"/start {token}")
    assert verify(ada, token, "5002") == "404 link_token_not_found"
    assert bot.messages(private(5002)) == []


def test_a_link_that_ended_is_not_verified(ada: User, bot: Bot) -> None:
    token = token_for(ada, bot.sender)
    bot.says(f"/start {token}")
    with workspace_scope(ada.workspace_id):
        linking.unlink_account(factories.by("cli"), ada, bot.sender)
        db.session.commit()
    assert verify(ada, token) == "404 link_token_not_found"


@pytest.mark.parametrize("seconds", [601, 86_000])
def test_an_expired_token_asks_nobody(ada: User, bot: Bot, seconds: int) -> None:
    token = token_for(ada, bot.sender)
    clock.move(seconds)
    assert verify(ada, token) == "404 link_token_not_found"
    assert bot.messages() == []


def test_a_chat_of_somebody_else_is_neither_moved_nor_asked(ada: User, eve: User, bot: Bot) -> None:
    bot.says(f"/start {token_for(ada, bot.sender)}")
    before = len(bot.messages())
    token = token_for(eve, bot.sender)
    assert verify(eve, token) == "409 chat_linked_elsewhere"
    assert len(bot.messages()) == before
    with system_scope("a test"):
        row = db.session.execute(select(LinkToken).where(LinkToken.user_id == eve.id)).scalar_one()
    assert row.used_at is None


def test_a_chat_that_was_linked_meanwhile_is_not_moved_by_the_answer(ada: User, eve: User, bot: Bot) -> None:
    verify(eve, token_for(eve, bot.sender))
    question = bot.messages()[0]
    bot.says(f"/start {token_for(ada, bot.sender)}")
    bot.press(buttons_of(question)[0])
    assert bot.answers() == ["This chat is already linked to another account."]
    assert status_of(ada, bot.sender).enabled
    assert not status_of(eve, bot.sender).enabled


def test_chats_are_not_asked_without_end(ada: User, eve: User, bot: Bot) -> None:
    for number in range(5):
        assert verify(ada, token_for(ada, bot.sender), str(7000 + number)) is False
    assert verify(ada, token_for(ada, bot.sender), "7100") == "429 too_many_confirmations"
    assert bot.messages(private(7100)) == []
    clock.move(3601)
    assert verify(ada, token_for(ada, bot.sender), "7100") is False
    with system_scope("a test"):
        assert len(db.session.execute(select(LinkConfirmation)).scalars().all()) == 6


def test_one_chat_is_not_asked_by_everybody(ada: User, eve: User, bot: Bot) -> None:
    for person in (ada, eve, ada, eve, ada):
        assert verify(person, token_for(person, bot.sender)) is False
    assert verify(eve, token_for(eve, bot.sender)) == "429 too_many_confirmations"
