"""Silences: what they hush, from when until when, and what comes when they end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.core import clock, config
from backend.core.database import db
from backend.core.errors import Conflict, Invalid
from backend.services.alerts.rules import silence_preview, silences
from tests.services.alerts.conftest import BY, run_timers
from tests.support import factories

DB = [{"label": "service", "op": "=", "value": "db"}]
ADA = BY


def hush(matchers=None, starts: float = 0, ends: float = 3600):
    now = clock.now()
    made = silences.make(
        BY, matchers or DB, now + timedelta(seconds=starts), now + timedelta(seconds=ends), comment="Planned"
    )
    db.session.commit()
    return made


def fire(room, host: str = "db-1", **fields):
    return room.raise_(f"{host} is down", labels={"service": "db", "host": host}, **fields)


def test_what_is_silenced_is_counted_and_not_said_until_the_silence_ends(room):
    hush()
    assert fire(room).decision == "silenced"
    clock.move(61)
    assert fire(room).decision == "silenced"
    assert room.messages() == []
    room.pass_time(3438)
    assert room.messages() == []
    room.pass_time(101)
    assert "×2" in room.texts()[0]
    assert room.alert().silenced_until is None


def test_what_is_over_when_its_silence_ends_is_not_said(room):
    hush()
    fire(room)
    fire(room, status="resolved")
    room.pass_time(3601)
    assert room.messages() == []


def test_a_new_silence_hushes_what_fires_already_and_its_message_says_so(room, sent):
    fire(room)
    sent(room.messages()[0])
    silence = hush()
    run_timers()
    assert "🔇 Silenced until" in room.texts()[0]
    assert room.alert().silenced_until == silence.ends_at
    clock.move(61)
    fire(room)
    assert len(room.messages()) == 1


def test_ending_a_silence_lets_everything_be_heard(room, sent):
    silence = hush()
    fire(room)
    silences.end(BY, silence.id)
    run_timers()
    assert len(room.messages()) == 1
    assert silences.state_of(silence) == "expired"


def test_a_silence_that_begins_later_hushes_later(room, sent):
    hush(starts=1000, ends=2000)
    assert fire(room).decision == "sent"
    sent(room.messages()[0])
    clock.move(1001)
    assert fire(room).decision == "silenced"
    assert len(room.messages()) == 1


def test_an_alert_is_only_silent_when_everything_in_it_is(room):
    from backend.services.alerts.rules import policies

    policies.create(factories.by("user:1"), {"name": "One", "group_by": ["service"], "group_wait": 0})
    hush([{"label": "host", "op": "=", "value": "db-1"}])
    assert fire(room, "db-1").decision == "silenced"
    assert fire(room, "db-2").decision == "sent"
    assert "🔇 <b>db-1 is down</b>" in room.texts()[0]


def test_a_preview_says_what_would_be_silent_and_stores_nothing(room):
    fire(room, "db-1")
    fire(room, "db-2")
    room.raise_("web is down", labels={"service": "web"})
    found = silence_preview.preview(DB)
    assert (found.alert_count, found.item_count, found.untouched_count, found.last_week_count) == (2, 2, 1, 2)
    assert {alert.title for alert in found.alerts} == {"db-1 is down", "db-2 is down"}
    assert silences.listing(state=None, cursor=None, limit=10)[0] == []


def test_a_silence_counts_what_it_hushes(room):
    silence = hush()
    fire(room, "db-1")
    fire(room, "db-2")
    fire(room, "db-2")
    assert silences.silencing_now([silence]) == {silence.id: 2}
    db.session.refresh(silence)
    assert silence.hushed == 2


def test_an_expired_silence_can_be_renewed(room):
    silence = hush(ends=60)
    clock.move(61)
    assert fire(room).decision == "sent"
    silences.change(BY, silence.id, {"ends_at": clock.now() + timedelta(hours=1)})
    run_timers()
    assert room.alert().silenced_until is not None


@pytest.mark.parametrize(
    ("starts", "ends", "code"),
    [(0, -1, "past_date"), (0, 0, "past_date"), (100, 50, "ends_before_start"), (0, 367 * 86_400, "too_long")],
)
def test_times_that_make_no_sense_are_refused(room, starts, ends, code):
    with pytest.raises(Invalid) as refused:
        hush(starts=starts, ends=ends)
    assert code in str(refused.value.detail)


def test_there_is_a_most(room, monkeypatch):
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"workspace_caps": "silences=2"}))
    hush()
    hush()
    with pytest.raises(Conflict, match="too_many_silences"):
        hush()


def test_lists_by_state(room):
    active, pending = hush(), hush(starts=100)
    gone = hush(ends=1)
    clock.move(2)
    for state, expected in (("active", active), ("pending", pending), ("expired", gone)):
        found, _ = silences.listing(state=state, cursor=None, limit=10)
        assert [one.id for one in found] == [expected.id]
