"""An alert for several chats, some of which cannot be reached: it says so, and so does its answer."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from backend.channels.errors import ChannelError
from backend.core.database import db
from backend.models import Conversation, Sender
from backend.services import conversations, delivery
from backend.services.alerts import queries
from backend.services.bots import serializers
from tests.services.alerts.conftest import Room, linked, run_timers
from tests.support.engine import run_until
from tests.support.picky_channel import PickyChannel, refusal

CHATS = ("-2001", "-1002222222222")
KICKED = refusal("Forbidden: bot was kicked from the group chat", 403)
KICKED_SUPER = refusal("Forbidden: bot was kicked from the supergroup chat", 403)
LINE = "⚠️ Not delivered to 1 of 2 chats (kicked)"


@pytest.fixture
def channel(app: Flask) -> PickyChannel:
    return PickyChannel().install()


@pytest.fixture
def two(room: Room, bot: Sender) -> Room:
    """The alerts' bot has a group and a supergroup."""
    bot.chat_ids = CHATS
    db.session.commit()
    return room


def refuse_in(channel: PickyChannel, chat_id: str, error: ChannelError) -> None:
    channel.judge = lambda op: error if op.chat_id == chat_id else None


def settle(app: Flask, room: Room) -> None:
    for _ in range(2):
        db.session.commit()
        run_until(app, lambda: room.waiting() == [])
        run_timers()
        room.pass_time(5)
    run_until(app, lambda: room.waiting() == [])


def overview(room: Room) -> queries.Overview:
    return queries.overviews([room.alert()])[0]


@pytest.mark.parametrize(("chat_id", "error"), [(CHATS[0], KICKED), (CHATS[1], KICKED_SUPER)])
def test_the_chats_that_get_it_are_told_of_those_that_do_not(
    app: Flask, channel: PickyChannel, two: Room, chat_id: str, error: ChannelError
) -> None:
    refuse_in(channel, chat_id, error)
    assert two.raise_().decision == "sent"
    settle(app, two)
    (content,) = channel.shown.values()
    assert LINE in content.text.split("\n")
    reach = overview(two).reach
    assert (reach.chats, reach.missed, reach.code) == (2, 1, "kicked")
    assert two.alert().undelivered_code is None


@pytest.mark.parametrize(("chat_id", "error"), [(CHATS[0], KICKED), (CHATS[1], KICKED_SUPER)])
def test_the_next_alert_is_not_answered_with_sent(
    app: Flask, channel: PickyChannel, two: Room, chat_id: str, error: ChannelError
) -> None:
    refuse_in(channel, chat_id, error)
    two.raise_("first")
    settle(app, two)
    outcome = two.raise_("second")
    assert (outcome.decision, outcome.reason) == ("partial", "kicked")


def test_a_closed_chat_is_known_when_the_alert_is_said(app: Flask, channel: PickyChannel, two: Room) -> None:
    refuse_in(channel, CHATS[0], KICKED)
    two.raise_("first")
    settle(app, two)
    channel.shown.clear()
    two.raise_("second")
    db.session.commit()
    run_until(app, lambda: two.waiting() == [])
    assert [LINE in content.text for content in channel.shown.values()] == [True]


def test_an_alert_that_reaches_no_chat_is_undelivered_and_not_partial(
    app: Flask, channel: PickyChannel, two: Room, default_bot: Sender
) -> None:
    linked(two.home, default_bot, "5010", name="Grace", role="admin")
    channel.judge = lambda op: KICKED if (op.chat_id or "").startswith("-") else None
    two.raise_("first")
    settle(app, two)
    assert two.alert().undelivered_code == "kicked"
    outcome = two.raise_("second")
    assert (outcome.decision, outcome.reason) == ("undelivered", "kicked")


def test_the_line_goes_when_all_chats_get_it_again(app: Flask, channel: PickyChannel, two: Room) -> None:
    refuse_in(channel, CHATS[1], KICKED_SUPER)
    two.raise_("Disk full", throttle_key="disk")
    settle(app, two)
    channel.judge = None
    two.pass_time(120)
    two.raise_("Disk full", throttle_key="disk")
    settle(app, two)
    assert LINE not in list(channel.shown.values())[-1].text
    assert overview(two).reach.missed == 0


def test_the_bot_says_which_chat_it_is(app: Flask, channel: PickyChannel, two: Room, bot: Sender) -> None:
    refuse_in(channel, CHATS[1], KICKED_SUPER)
    two.raise_()
    settle(app, two)
    said: dict[str, Any] = serializers.bot_json(bot)
    assert [(chat["chat_id"], chat["state"], chat["code"]) for chat in said["chats"]] == [
        (CHATS[0], "ok", None),
        (CHATS[1], "unreachable", "kicked"),
    ]
    assert said["unreachable_chats"] == 1
    # A message that arrives takes the mark away.
    channel.judge = None
    two.raise_("again")
    settle(app, two)
    assert serializers.bot_json(bot)["unreachable_chats"] == 0


def test_a_closed_chat_shows_at_the_bot_until_it_is_opened(
    app: Flask, channel: PickyChannel, two: Room, bot: Sender
) -> None:
    refuse_in(channel, CHATS[0], KICKED)
    two.raise_()
    settle(app, two)
    assert [chat["state"] for chat in serializers.bot_json(bot)["chats"]] == ["closed", "ok"]
    delivery.unblock(bot.id, conversations.chat_hash(bot.channel, bot.id, CHATS[0]))
    db.session.commit()
    assert serializers.bot_json(bot)["unreachable_chats"] == 0


def test_marks_of_a_chat_hold_for_every_workspace_that_has_it(
    app: Flask, channel: PickyChannel, two: Room, bot: Sender
) -> None:
    refuse_in(channel, CHATS[1], KICKED_SUPER)
    two.raise_()
    settle(app, two)
    (chat,) = conversations.by_chat(bot.id, conversations.chat_hash(bot.channel, bot.id, CHATS[1]))
    assert isinstance(chat, Conversation)
    assert (chat.unreachable_code, chat.blocked_code) == ("kicked", None)
    assert chat.unreachable_at is not None
