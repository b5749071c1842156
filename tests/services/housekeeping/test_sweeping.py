"""The sweep finds what was stored but not woken, also while Redis is away, and one process at a time does it."""

from __future__ import annotations

import json
import threading
from datetime import datetime

import pytest
from sqlalchemy import select, text

from backend.channels.base import Content
from backend.core import clock, work
from backend.core.database import db, system_scope
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Work
from backend.models import Delivery, Heartbeat, Message, WebhookEvent, Workspace
from backend.services import delivery, housekeeping, intake
from backend.services.housekeeping import sweeper, wakening
from backend.services.intake import processor
from tests.support import factories
from tests.support.fake_channel import FakeChannel

pytestmark = pytest.mark.usefixtures("no_bot")


@pytest.fixture(autouse=True)
def channel(app):
    return FakeChannel().install()


@pytest.fixture
def bot(app):
    made = factories.bot(factories.workspace())
    db.session.commit()
    return made


@pytest.fixture
def stored(bot, valkey):
    """An event whose wake-up was lost."""
    intake.store(bot, json.dumps({"update_id": 1}).encode())
    db.session.commit()
    valkey.flushdb()


def states():
    with system_scope("test"):
        return list(db.session.execute(select(WebhookEvent.state)).scalars())


def beat_of(name: str) -> datetime | None:
    with system_scope("test"):
        found = db.session.execute(select(Heartbeat.at).where(Heartbeat.name == name)).scalar()
        db.session.rollback()
    return found


def test_an_event_that_was_stored_but_not_woken_is_woken(stored, valkey):
    assert housekeeping.sweep() is True
    assert valkey.llen("rq:queue:intake") == 1
    assert states() == ["new"]


def test_nothing_is_woken_where_nothing_waits(bot, valkey):
    housekeeping.sweep()
    assert valkey.llen("rq:queue:intake") == 0
    assert valkey.llen("rq:queue:notifications") == 0


def test_while_redis_is_away_the_sweep_does_the_work(stored, redis_away):
    housekeeping.sweep()
    assert states() == ["ignored"]


@pytest.fixture
def works(monkeypatch):
    """Declares works of the test's own in place of the real ones."""
    made: dict[str, Work] = {}
    monkeypatch.setattr(work, "_registered", made)

    def declare(name, run, **options):
        return work.register(Work(name, "intake", lambda: True, run, **options))

    return declare


def test_while_redis_is_away_each_work_has_a_short_turn_and_a_beat_follows(bot, redis_away, works, monkeypatch):
    """Readiness wants a beat every 15 seconds."""
    turns: list[float] = []
    beats: list[tuple[str, int]] = []

    def run(turn: Turn) -> int:
        turns.append(turn.seconds)
        return 1

    monkeypatch.setattr(wakening, "record_heartbeat", lambda engine, name: beats.append((name, len(turns))))
    for name in "abc":
        works(name, run)
    works("timed", run, timed=True)
    housekeeping.sweep()
    assert turns == [wakening.AWAY_SECONDS] * 3
    assert beats == [("sweep", 1), ("sweep", 2), ("sweep", 3)]
    assert wakening.AWAY_SECONDS <= 3.0
    assert beat_of("sweep") is not None


def test_while_redis_is_away_what_hangs_is_not_waited_for(bot, redis_away, works, monkeypatch):
    monkeypatch.setattr(wakening, "AWAY_SECONDS", 0.0)
    released, begun, done = threading.Event(), threading.Event(), []

    def hang(turn):
        begun.set()
        released.wait(60)
        return 1

    def finish(turn):
        done.append("b")
        return 1

    works("a", hang, pool=BoundedPool("test", 1))
    works("b", finish)
    try:
        housekeeping.sweep()
        assert begun.wait(60)
        assert done == ["b"]
    finally:
        released.set()


def test_only_one_of_two_processes_sweeps(stored, held, valkey):
    with held("sweep"):
        assert housekeeping.sweep() is False
    assert valkey.llen("rq:queue:intake") == 0
    assert beat_of("sweep") is None
    assert housekeeping.sweep() is True


def test_a_sweep_and_a_tick_do_not_wait_for_each_other(bot, held):
    with held("tick"):
        assert housekeeping.sweep() is True
    with held("sweep"):
        assert housekeeping.tick() is True


def test_each_sweep_beats_on_the_databases_clock(bot):
    housekeeping.sweep()
    first = beat_of("sweep")
    clock.move(86_400)
    housekeeping.sweep()
    second = beat_of("sweep")
    assert first is not None
    assert second is not None
    now = db.session.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert first < second <= now


def test_a_sweep_that_fails_does_not_beat_and_gives_its_lock_back(bot, monkeypatch):
    def fail():
        raise ValueError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(sweeper.senders, "recheck_refused", fail)
        housekeeping.sweep()
    assert beat_of("sweep") is None
    db.session.rollback()
    assert housekeeping.sweep() is True


def test_what_waited_past_its_life_ends_and_says_so(bot):
    chat = factories.conversation(db.session.get_one(Workspace, bot.workspace_id), bot)
    message = delivery.send(chat, Content("too late"), kind="test")
    db.session.commit()
    message_id = message.id
    clock.move(25 * 3600)
    housekeeping.sweep()
    with system_scope("test"):
        ended = db.session.get_one(Message, message_id)
        assert (ended.state, ended.error) == ("failed", "expired")
        assert db.session.execute(select(Delivery)).scalars().all() == []


def test_an_event_waiting_for_its_next_try_is_woken_when_that_is_due(stored, valkey, monkeypatch):
    def fail(sender, event):
        raise ValueError("a defect")

    monkeypatch.setattr(FakeChannel, "parse", lambda self, body: [json.loads(body)])
    monkeypatch.setitem(processor.HANDLERS, "telegram_bot", (fail, lambda *given: None))
    intake.drain(Turn(60.0))
    valkey.flushdb()
    # However long the drain took: the next try is not due yet.
    clock.move(-30)
    housekeeping.sweep()
    assert valkey.llen("rq:queue:intake") == 0
    clock.move(90)
    housekeeping.sweep()
    assert valkey.llen("rq:queue:intake") == 1
