"""Accepting: bodies of many requests share a transaction, and each request hears of its own after the commit."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError

from backend.core.database import db, system_scope
from backend.models import WebhookEvent
from backend.services import intake
from backend.services.intake import storing
from backend.services.senders.doors import Door
from tests.support import factories


@pytest.fixture
def bot(app):
    with system_scope("test"):
        made = factories.bot(factories.workspace())
    db.session.commit()
    return Door(made.id, made.channel, "secret")


def body(number, chat=1):
    message = {"message_id": number, "date": 1, "chat": {"id": chat, "type": "private"}, "text": "hello"}
    return json.dumps({"update_id": number, "message": message}).encode()


def stored():
    db.session.rollback()
    return list(db.session.execute(select(WebhookEvent).order_by(WebhookEvent.id)).scalars())


def test_a_body_is_in_the_database_when_its_future_ends(bot):
    assert intake.accept(bot, body(1)).result(10) is True
    assert [one.state for one in stored()] == ["new"]


def test_the_same_body_twice_is_one_row_also_within_a_batch(bot):
    futures = [intake.accept(bot, body(1)) for _ in range(5)]
    assert sorted(one.result(10) for one in futures) == [False] * 4 + [True]
    assert len(stored()) == 1


def test_what_comes_at_once_shares_transactions_and_keeps_its_order(bot):
    commits = []
    listen = lambda connection: commits.append(1)  # noqa: E731
    event.listen(db.engine, "commit", listen)
    try:
        futures = [intake.accept(bot, body(number)) for number in range(150)]
        assert all(one.result(10) for one in futures)
    finally:
        event.remove(db.engine, "commit", listen)
    assert len(commits) < 75
    keys = {one.conversation_key for one in stored()}
    assert len(keys) == 1
    assert [one.id for one in stored()] == sorted(one.id for one in stored())
    order = [storing.arrived(bot, body(number)).key for number in range(150)]
    assert [one.key for one in stored()] == order


def test_a_body_that_cannot_be_read_is_parked(bot):
    assert intake.accept(bot, b"{not json").result(10) is True
    assert [(one.state, one.error) for one in stored()] == [("parked", "unparsable")]


def test_one_that_the_database_refuses_takes_no_other_with_it(bot):
    gone = Door(bot.id + 1000, bot.channel, "secret")
    futures = [intake.accept(gone if number == 3 else bot, body(number)) for number in range(8)]
    for number, future in enumerate(futures):
        if number == 3:
            with pytest.raises(DBAPIError):
                future.result(10)
        else:
            assert future.result(10) is True
    assert len(stored()) == 7
