"""The queue's table is made small again after many messages, when nobody needs it for a moment."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy import text

from backend.core.database import db, system_scope
from backend.services import housekeeping
from backend.services.housekeeping import vacuum
from tests.support import factories

_FILL = """
    INSERT INTO deliveries (id, workspace_id, sender_id, operation, part, lane, due_at, state, epoch, attempts, reason,
                            at_most_once)
    SELECT nextval(pg_get_serial_sequence('deliveries', 'id')), :workspace, :sender, 'chat_action', 0, 0, now(), 'due',
           0, 0, 'queued', false
      FROM generate_series(1, :count)
"""


@pytest.fixture
def bot(app):
    with system_scope("a test"):
        made = factories.bot(factories.workspace())
        db.session.commit()
        ids = SimpleNamespace(id=made.id, workspace_id=made.workspace_id)
        db.session.remove()
    return ids


def size():
    with db.engine.connect() as connection:
        return connection.execute(text("SELECT pg_total_relation_size('deliveries')")).scalar_one()


def fill_and_empty(bot, keep=0):
    with db.engine.begin() as connection:
        values = {"workspace": bot.workspace_id, "sender": bot.id, "count": 20_000}
        connection.execute(text(_FILL), values)
    with db.engine.begin() as connection:
        connection.execute(text("DELETE FROM deliveries WHERE id > :keep"), {"keep": keep})


def test_a_large_and_empty_queue_becomes_small(bot):
    fill_and_empty(bot, keep=5)
    before = size()
    assert before > 1_000_000
    assert vacuum.tidy_queue(db.engine, largest=1_000_000) is True
    assert size() < before / 5
    with db.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM deliveries")).scalar_one() == 5
    assert vacuum.tidy_queue(db.engine, largest=1_000_000) is False, "it is small already"


def test_a_queue_in_which_much_waits_is_left_alone(bot):
    fill_and_empty(bot, keep=5000)
    assert vacuum.tidy_queue(db.engine, largest=1_000_000) is False


def test_it_does_not_wait_for_whoever_uses_the_table(bot):
    fill_and_empty(bot)
    with db.engine.connect() as holder:
        holder.execute(text("SELECT count(*) FROM deliveries"))
        assert vacuum.tidy_queue(db.engine, largest=1_000_000) is False
        holder.rollback()
    assert vacuum.tidy_queue(db.engine, largest=1_000_000) is True


def test_the_sweep_does_not_stand_in_its_own_way(bot, monkeypatch):
    fill_and_empty(bot)
    tidied = []
    tidy = vacuum.tidy_queue
    monkeypatch.setattr(vacuum, "tidy_queue", lambda engine: tidied.append(tidy(engine, largest=1_000_000)))
    monkeypatch.setattr(vacuum, "_looked_at", float("-inf"))
    housekeeping.sweep()
    assert tidied == [True]
