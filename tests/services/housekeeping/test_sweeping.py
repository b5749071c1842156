"""The sweep finds what was stored but not woken, also while Redis is away, and one process at a time does it."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from sqlalchemy import select, text

from backend.channels.base import Content
from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Delivery, Heartbeat, Message, WebhookEvent, Workspace
from backend.services import delivery, housekeeping, intake
from backend.services.housekeeping import sweeper
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


def test_while_redis_is_away_a_turn_is_short_and_each_is_followed_by_a_beat(stored, redis_away, monkeypatch):
    """Readiness wants a beat every 15 seconds; what would take longer is cut into turns."""
    turns, beats = [], []

    def drain(seconds):
        turns.append(("drain", seconds))
        return 1

    def fetch(seconds, *, timeout):
        turns.append(("fetch", seconds + timeout))
        return 1

    def send(seconds):
        turns.append(("send", seconds))
        return 1

    def publish(seconds):
        turns.append(("publish", seconds))
        return 1

    def step(seconds, *, timeout):
        turns.append(("step", seconds + timeout))
        return 1

    def post(seconds, *, timeout):
        turns.append(("mail", seconds + timeout))
        return 1

    monkeypatch.setattr(sweeper.mail, "drain", post)
    monkeypatch.setattr(sweeper.alerts, "run_due", step)
    monkeypatch.setattr(sweeper.intake, "drain", drain)
    monkeypatch.setattr(sweeper.outgoing_webhooks, "send_due", send)
    monkeypatch.setattr(sweeper.posts, "publish_due", publish)
    monkeypatch.setattr(sweeper.attachments, "waiting", lambda: 1)
    monkeypatch.setattr(sweeper.attachments, "fetch_waiting", fetch)
    monkeypatch.setattr(sweeper.file_fetches, "fetch_waiting", fetch)
    monkeypatch.setattr(sweeper, "record_heartbeat", lambda engine, name: beats.append((name, len(turns))))
    monkeypatch.setattr(sweeper, "_LANES", tuple((lane, lambda: 1, work) for lane, _, work in sweeper._LANES))
    housekeeping.sweep()
    assert [what for what, _ in turns] == ["drain", "fetch", "fetch", "step", "mail", "send", "publish"]
    assert all(seconds <= 3.0 for _, seconds in turns)
    assert beats == [("sweep", turn) for turn in range(1, len(turns) + 1)] + [("sweep", len(turns))]


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
        patched.setattr(sweeper.recovery, "expire", fail)
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
    intake.drain()
    valkey.flushdb()
    housekeeping.sweep()
    assert valkey.llen("rq:queue:intake") == 0
    clock.move(60)
    housekeeping.sweep()
    assert valkey.llen("rq:queue:intake") == 1
