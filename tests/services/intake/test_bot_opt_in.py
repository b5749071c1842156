"""Agreeing in a bot's chat: the link asks, only the button records, and what was suppressed is lifted."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Consent, Contact, ContactPoint, Suppression
from backend.services.contacts import bot_opt_in, records, settings, suppressions
from backend.services.contacts.bot_opt_in import Invitation
from tests.support import factories
from tests.support.talking import Bot, private, somebody

WORDING = "You may write to me on Telegram about new flats."
BY = factories.by("user:1")


@pytest.fixture
def bot(app: Flask) -> Bot:
    with system_scope("a test"):
        home = factories.workspace()
        sender = factories.bot(home)
        with workspace_scope(home.id):
            settings.change(BY, {"opt_in_wording": WORDING, "rules": "none"})
            records.create(BY, {"first_name": "Sam", "phone": "+12025550123"})
        db.session.commit()
        return Bot(sender)


def contact_of(bot: Bot) -> Contact:
    with workspace_scope(bot.sender.workspace_id or 0):
        return db.session.scalars(select(Contact)).one()


def payload(bot: Bot) -> str:
    return bot_opt_in.payload_of(Invitation(bot.sender.workspace_id or 0, contact_of(bot).id))


def consents() -> list[Consent]:
    db.session.rollback()
    with system_scope("a test"):
        return list(db.session.scalars(select(Consent).order_by(Consent.id)))


def buttons(bot: Bot) -> list[str]:
    part = (bot.messages()[-1].body or {})["parts"][0]
    return [button["data"] for row in part.get("buttons", []) for button in row]


def test_the_link_asks_and_only_the_button_records(bot: Bot) -> None:
    bot.says(f"/start {payload(bot)}")
    assert WORDING in bot.said()[-1]
    assert consents() == []
    (data,) = buttons(bot)
    assert len(data.encode()) <= 64
    for _ in range(2):
        bot.press(data)
    (entry,) = consents()
    assert (entry.source, entry.channel, entry.wording, entry.night_ok) == ("bot_link", "telegram", WORDING, False)
    with system_scope("a test"):
        kinds = set(db.session.scalars(select(ContactPoint.kind).where(ContactPoint.contact_id == entry.contact_id)))
    assert kinds == {"phone", "telegram_user"}
    bot.says(f"/start {payload(bot)}")
    assert "agreed" in bot.said()[-1]


def test_the_night_is_asked_for_apart_where_the_rules_of_korea_hold(bot: Bot) -> None:
    with workspace_scope(bot.sender.workspace_id or 0):
        settings.change(BY, {"rules": "kr"})
        db.session.commit()
    bot.says(f"/start {payload(bot)}")
    by_day, by_night = buttons(bot)
    assert max(len(by_day.encode()), len(by_night.encode())) <= 64
    bot.press(by_day)
    bot.press(by_night)
    assert [entry.night_ok for entry in consents()] == [False, True]


def test_whoever_starts_the_bot_or_agrees_lifts_what_was_suppressed(bot: Bot) -> None:
    with workspace_scope(bot.sender.workspace_id or 0):
        suppressions.suppress_contact(BY, contact_of(bot).id, code="opted_out", source="person")
        suppressions.suppress_value(BY, "telegram_user", "5001888", None, code="opted_out")
        db.session.commit()
    bot.says("/start", by=somebody(5001888))
    assert suppressed() == {"phone"}
    bot.says(f"/start {payload(bot)}", by=somebody(5001888))
    bot.press(bot_button(bot, 5001888), by=somebody(5001888))
    assert suppressed() == set()


def bot_button(bot: Bot, person_id: int) -> str:
    part = (bot.messages(private(person_id))[-1].body or {})["parts"][0]
    data: str = part["buttons"][0][0]["data"]
    return data


def suppressed() -> set[str]:
    db.session.rollback()
    with system_scope("a test"):
        return set(db.session.scalars(select(Suppression.kind)))


def test_a_link_that_is_over_made_up_or_of_another_workspace_asks_nothing(bot: Bot) -> None:
    good = payload(bot)
    with system_scope("a test"):
        stranger = Bot(factories.bot(factories.workspace()))
        db.session.commit()
    for wrong in (good[:-1] + ("A" if good[-1] != "A" else "B"), "yes_", "yes_" + "A" * 43, good[4:]):
        bot.says(f"/start {wrong}")
        assert WORDING not in "".join(bot.said())
    stranger.says(f"/start {good}")
    assert WORDING not in "".join(stranger.said())
    clock.move(400 * 86_400)
    assert bot_opt_in.read(good) is None


def test_words_that_changed_have_to_be_read_again(bot: Bot) -> None:
    bot.says(f"/start {payload(bot)}")
    (data,) = buttons(bot)
    with workspace_scope(bot.sender.workspace_id or 0):
        settings.change(BY, {"opt_in_wording": "You may write to me about anything at all."})
        db.session.commit()
    bot.press(data)
    assert consents() == []
    assert bot.answers()[-1]
