"""A flood from one chat, one bot or of one kind of update holds up nobody else: judged by who goes before whom."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from backend.core.database import db
from backend.core.work import Turn
from backend.services import intake
from backend.services.intake import asking, consumer, telegram
from tests.support import factories
from tests.support.talking import Bot
from tests.support.telegram_updates import arrive, states, texts, update


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few updates show the order of many."""
    monkeypatch.setattr(consumer, "MAX_BATCH", 20)
    monkeypatch.setattr(consumer, "MAX_RUN", 10)
    monkeypatch.setattr(consumer, "_cursors", {})


def drain() -> None:
    intake.drain(Turn(60.0))


def place(text: str) -> int:
    """How many updates were recorded before this one."""
    return texts().index(text)


def test_a_flood_of_one_chat_lets_others_go_first(bot: Bot) -> None:
    arrive(bot.sender, *(update(6000, f"flood {i}") for i in range(200)))
    arrive(bot.sender, update(6001, "another"), update(6002, "a third"))
    drain()
    assert place("another") < consumer.MAX_BATCH
    assert place("a third") < consumer.MAX_BATCH
    flood = [text for text in texts() if text.startswith("flood")]
    assert flood == [f"flood {i}" for i in range(200)]


def test_many_chats_with_many_updates_let_another_have_its_turn_within_a_round(bot: Bot) -> None:
    chats, each = 30, 10
    arrive(bot.sender, *(update(6000 + i % chats, f"flood {i}") for i in range(chats * each)))
    arrive(bot.sender, update(7000, "another"))
    drain()
    assert place("another") <= chats + consumer.MAX_BATCH, "each of the others was served once before it, at most"


def test_a_bot_with_many_chats_takes_nothing_from_another_bot(app: Flask) -> None:
    busy, quiet = factories.bot(factories.workspace()), factories.bot(factories.workspace())
    db.session.commit()
    arrive(busy, *(update(6000 + i, f"flood {i}") for i in range(200)))
    arrive(quiet, update(9000, "another workspace"))
    drain()
    assert place("another workspace") < consumer.MAX_BATCH


def test_updates_that_go_by_themselves_take_turns_too(bot: Bot) -> None:
    chats = consumer.MAX_SINGLE * 2
    for _ in range(5):
        arrive(bot.sender, *(update(6000 + i, "/stop") for i in range(chats)))
    arrive(bot.sender, update(7000, "/stop now"), update(7001, "words"))
    drain()
    assert place("/stop now") <= chats + consumer.MAX_SINGLE
    assert place("words") <= consumer.MAX_BATCH + consumer.MAX_SINGLE
    assert len(texts()) == chats * 5 + 2


def test_the_next_turn_goes_on_where_the_last_one_ended(bot: Bot) -> None:
    arrive(bot.sender, *(update(6000 + i % 60, f"flood {i}") for i in range(600)))
    for _ in range(3):
        intake.drain(Turn(0.0))
    assert set(texts()) <= {f"flood {i}" for i in range(60)}, "no chat had a second turn yet"


def test_a_provider_that_is_asked_and_does_not_answer_holds_up_its_own_chat_only(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    asked: list[str] = []

    def ask(_sender: object, chat_id: str, _person_id: str) -> bool:
        asked.append(chat_id)
        answered.wait(60)
        return True

    monkeypatch.setattr(telegram.senders, "is_chat_admin", ask)
    group = -1_001_234_567_890
    arrive(bot.sender, update(group, "/stop@example_bot", by=5009), update(group, "/help@example_bot", by=5009))
    intake.drain(Turn(0.0))
    arrive(bot.sender, update(6001, "another"))
    intake.drain(Turn(0.0))
    assert texts() == ["another"]
    assert asking.events()
    answered.set()
    drain()
    assert texts() == ["another", "/stop@example_bot", "/help@example_bot"]
    assert asked == [str(group)]
    assert states() == ["done"] * 3
