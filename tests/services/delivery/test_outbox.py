"""What is stored when something is to be said; nothing here talks to a provider."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.channels.base import Button, Content
from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.models import Delivery, Message
from backend.services import delivery
from tests.support import factories
from tests.support.fake_channel import FakeChannel


@pytest.fixture
def channel(app):
    return FakeChannel().install()


@pytest.fixture
def chat(channel):
    home = factories.workspace()
    with workspace_scope(home.id):
        yield factories.conversation(home, factories.bot(home))


def deliveries(message):
    query = select(Delivery).where(Delivery.message_id == message.id).order_by(Delivery.part, Delivery.operation)
    return db.session.execute(query).scalars().all()


def test_a_message_is_stored_with_one_delivery_a_part_and_says_that_it_is_queued(chat):
    content = Content("x" * 250, buttons=((Button("Open", url="https://example.com"),),))
    message = delivery.send(chat, content, kind="test")
    rows = deliveries(message)
    assert [(row.part, row.operation, row.state, row.reason) for row in rows] == [
        (0, "send", "due", "queued"),
        (1, "send", "due", "queued"),
        (2, "send", "due", "queued"),
    ]
    assert message.state == "queued"
    assert "buttons" in message.body["parts"][2]
    assert delivery.status_of(message).attempts == 0


def test_the_same_key_returns_the_first_message_and_stores_no_second(chat):
    first = delivery.send(chat, Content("one"), kind="test", key="event:1")
    second = delivery.send(chat, Content("two"), kind="test", key="event:1")
    assert second.id == first.id
    assert len(db.session.execute(select(Message)).scalars().all()) == 1


def test_a_message_that_waits_says_why_and_until_when(chat):
    until = clock.now() + timedelta(hours=3)
    message = delivery.send(chat, Content("later"), kind="test", not_before=until, reason="quiet_hours")
    status = delivery.status_of(message)
    assert (status.reason, status.next_attempt_at) == ("quiet_hours", until)


def test_a_blocked_chat_gets_a_canceled_message_with_the_reason(chat):
    chat.blocked_code = "bot_blocked"
    message = delivery.send(chat, Content("hello"), kind="test")
    assert (message.state, message.error, deliveries(message)) == ("canceled", "bot_blocked", [])
    assert delivery.status_of(message).reason == "bot_blocked"


def test_an_edit_of_a_waiting_message_only_changes_what_will_be_said(chat):
    message = delivery.send(chat, Content("old"), kind="test")
    delivery.edit(message, Content("new"))
    assert [row.operation for row in deliveries(message)] == ["send"]
    assert message.body["parts"][0]["text"] == "new"
    assert message.version == 2


def test_an_edit_that_shortens_a_waiting_message_drops_its_last_parts(chat):
    message = delivery.send(chat, Content("x" * 250), kind="test")
    delivery.edit(message, Content("short"))
    assert [(row.part, row.operation) for row in deliveries(message)] == [(0, "send")]


def test_an_edit_while_the_send_is_in_flight_waits_behind_it(chat):
    message = delivery.send(chat, Content("old"), kind="test")
    deliveries(message)[0].state = "sending"
    db.session.flush()
    delivery.edit(message, Content("new"))
    delivery.edit(message, Content("newest"))
    assert [(row.operation, row.state) for row in deliveries(message)] == [("edit", "due"), ("send", "sending")]


def test_canceling_what_waits_leaves_what_has_started(chat):
    started = delivery.send(chat, Content("started"), kind="test")
    deliveries(started)[0].state = "sending"
    waiting = delivery.send(chat, Content("waiting"), kind="test")
    db.session.flush()
    assert delivery.cancel_pending(chat, "replied") == 1
    assert (started.state, waiting.state, waiting.error) == ("queued", "canceled", "replied")


def test_blocking_a_chat_reaches_the_conversations_of_every_workspace(channel):
    first, second = factories.workspace(), factories.workspace()
    bot = factories.bot(first)
    chats = []
    for home in (first, second):
        with workspace_scope(home.id):
            chats.append(factories.conversation(home, bot, "77"))
            delivery.send(chats[-1], Content("hello"), kind="test")
    delivery.block(bot.id, chats[0].chat_hash, "bot_blocked")
    assert [chat.blocked_code for chat in chats] == ["bot_blocked", "bot_blocked"]
    delivery.unblock(bot.id, chats[0].chat_hash)
    db.session.expire_all()
    with workspace_scope(second.id):
        assert chats[1].blocked_code is None


def test_a_rollback_stores_and_wakes_nothing(chat):
    db.session.commit()
    delivery.send(chat, Content("never"), kind="test")
    db.session.rollback()
    assert "wake_ups" not in db.session.info
    assert db.session.execute(select(Message)).scalars().all() == []
