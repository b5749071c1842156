"""Accepting: bodies of many requests share a transaction, and each request hears of its own after the commit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError, ProgrammingError

from backend.core.database import db, system_scope
from backend.models import WebhookEvent
from backend.services import intake
from backend.services.intake import batcher, event_store
from backend.services.senders.webhook_verifier import WebhookTarget
from tests.support import factories


@pytest.fixture
def bot(app):
    with system_scope("test"):
        made = factories.bot(factories.workspace())
    db.session.commit()
    return WebhookTarget(made.id, made.channel, "secret")


def body(number, chat=1):
    message = {"message_id": number, "date": 1, "chat": {"id": chat, "type": "private"}, "text": "hello"}
    return json.dumps({"update_id": number, "message": message}).encode()


def stored():
    db.session.rollback()
    return list(db.session.execute(select(WebhookEvent).order_by(WebhookEvent.id)).scalars())


def test_a_body_is_in_the_database_when_its_future_ends(bot):
    assert intake.accept(bot, body(1)).result(60) is True
    assert [one.state for one in stored()] == ["new"]


def test_the_same_body_twice_is_one_row_also_within_a_batch(bot):
    futures = [intake.accept(bot, body(1)) for _ in range(5)]
    assert sorted(one.result(60) for one in futures) == [False] * 4 + [True]
    assert len(stored()) == 1


def test_what_comes_at_once_shares_transactions_and_keeps_its_order(bot):
    commits = []
    listen = lambda connection: commits.append(1)  # noqa: E731
    event.listen(db.engine, "commit", listen)
    try:
        futures = [intake.accept(bot, body(number)) for number in range(150)]
        assert all(one.result(60) for one in futures)
    finally:
        event.remove(db.engine, "commit", listen)
    assert len(commits) < 75
    keys = {one.conversation_key for one in stored()}
    assert len(keys) == 1
    assert [one.id for one in stored()] == sorted(one.id for one in stored())
    order = [event_store.arrived(bot, body(number)).rows[0].key for number in range(150)]
    assert [one.key for one in stored()] == order


def test_a_body_that_cannot_be_read_is_parked(bot):
    assert intake.accept(bot, b"{not json").result(60) is True
    assert [(one.state, one.error) for one in stored()] == [("parked", "unparsable")]


def test_one_that_the_database_refuses_takes_no_other_with_it(bot):
    gone = WebhookTarget(bot.id + 1000, bot.channel, "secret")
    futures = [intake.accept(gone if number == 3 else bot, body(number)) for number in range(8)]
    for number, future in enumerate(futures):
        if number == 3:
            with pytest.raises(DBAPIError):
                future.result(60)
        else:
            assert future.result(60) is True
    assert len(stored()) == 7


def break_connection(engine):
    """What a restart of the server does to the acceptor's connection."""
    kept: Any = intake.acceptor(engine)._connection
    pid = kept.connection.driver_connection.info.backend_pid
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_a_connection_that_broke_since_the_last_batch_is_replaced_and_nobody_hears_of_it(bot):
    assert intake.accept(bot, body(1)).result(60) is True
    break_connection(db.engine)
    assert intake.accept(bot, body(2)).result(60) is True
    assert len(stored()) == 2


def test_what_a_broken_connection_had_stored_is_known_and_processed_all_the_same(bot, monkeypatch):
    """The commit happened, its answer did not arrive: nobody has been woken for it yet."""
    assert intake.accept(bot, body(1)).result(60) is True
    real, engine = event_store.insert, db.engine
    woken: list[str] = []
    broken: list[bool] = []

    def insert_and_break(connection, events):
        found = real(connection, events)
        if not broken:
            broken.append(True)
            break_connection(engine)
            connection.exec_driver_sql("SELECT 1")
        return found

    monkeypatch.setattr(batcher, "insert", insert_and_break)
    monkeypatch.setattr(batcher.queue, "wake_now", woken.append)
    assert intake.accept(bot, body(2)).result(60) is False
    assert (len(stored()), woken) == (2, ["intake"])


def test_a_refused_body_does_not_cost_the_connection(bot):
    with pytest.raises(DBAPIError):
        intake.accept(WebhookTarget(bot.id + 1000, bot.channel, "secret"), body(1)).result(60)
    before = intake.acceptor(db.engine)._connection
    assert intake.accept(bot, body(2)).result(60) is True
    assert intake.acceptor(db.engine)._connection is before


def test_a_connection_with_an_error_that_is_not_a_rows_is_replaced(bot, monkeypatch):
    """Such as a plan that it has prepared and that a migration has made invalid."""
    assert intake.accept(bot, body(1)).result(60) is True
    before = intake.acceptor(db.engine)._connection
    real = event_store.insert

    def insert(connection, events):
        if connection is before:
            raise ProgrammingError("", {}, Exception("cached plan must not change result type"))
        return real(connection, events)

    monkeypatch.setattr(batcher, "insert", insert)
    with pytest.raises(ProgrammingError):
        intake.accept(bot, body(2)).result(60)
    assert intake.accept(bot, body(2)).result(60) is True


def test_a_defect_beside_the_database_does_not_end_the_thread(bot, monkeypatch):
    def defect(_lane):
        raise RuntimeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(batcher.queue, "wake_now", defect)
        assert intake.accept(bot, body(1)).result(60) is True
        assert intake.accept(bot, body(2)).result(60) is True
    assert intake.accept(bot, body(3)).result(60) is True
