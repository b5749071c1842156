"""Alerts that fire already follow a silence in turns: progress is kept, what fails is passed over after five tries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from backend.core import clock, failpoints
from backend.core.database import db
from backend.core.work import Turn
from backend.models import AlertSilence
from backend.services.alerts.lifecycle import silence_application
from backend.services.alerts.rules import matchers, silences
from backend.services.alerts.state.locked_alert import LockedAlert
from tests.services.alerts.conftest import BY
from tests.services.alerts.test_silences import fire, hush

PATTERN = [{"label": "service", "op": "=~", "value": "(?:d|db)+"}]


def apply(seconds: float = 60) -> int:
    db.session.commit()
    done = silence_application.apply(Turn(seconds))
    db.session.rollback()
    return done


def stored(silence_id: int) -> AlertSilence:
    return db.session.get_one(AlertSilence, silence_id, populate_existing=True)


def silenced(room) -> int:
    return sum(alert.silenced_until is not None for alert in room.alerts())


@pytest.fixture
def looked(monkeypatch):
    """The alerts that have looked at the silences, in order."""
    seen: list[int] = []
    original = LockedAlert.apply_silences

    def look(case: LockedAlert) -> None:
        seen.append(case.alert.id)
        original(case)

    monkeypatch.setattr(LockedAlert, "apply_silences", look)
    return seen


def test_each_turn_goes_on_where_the_last_one_ended(room, looked, monkeypatch):
    monkeypatch.setattr(silence_application, "SLICE", 2)
    for number in range(5):
        fire(room, f"db-{number}")
    silence = hush(PATTERN)
    looked.clear()
    for turn in range(5):
        assert apply(0) == 0
        assert silenced(room) == turn + 1
        assert stored(silence.id).applied_through == room.alerts()[turn].id
    assert apply(0) == 1
    assert looked == [alert.id for alert in room.alerts()]
    assert not silence_application.WORK.is_due()


def test_no_silence_keeps_another_one_waiting(room, monkeypatch):
    monkeypatch.setattr(silence_application, "SLICE", 1)
    for number in range(3):
        fire(room, f"db-{number}")
    room.raise_("web is down", labels={"service": "web"})
    large, small = hush(PATTERN), hush([{"label": "service", "op": "=", "value": "web"}])
    apply(0)
    apply(0)
    assert stored(small.id).applied_through > 0
    assert stored(large.id).applied_at is None


def test_an_ended_silence_undoes_what_it_silenced_and_tests_no_pattern(room, looked, monkeypatch):
    fire(room, "db-1")
    silence = hush(PATTERN)
    apply()
    for number in range(3):
        room.raise_(f"web-{number}", labels={"service": "web"})
    silences.end(BY, silence.id)
    looked.clear()
    monkeypatch.setattr(matchers.Meter, "test", lambda *_: pytest.fail("a pattern was tested"))
    apply()
    assert set(looked) == {room.alerts()[0].id}
    assert silenced(room) == 0


def test_a_silence_that_was_put_off_undoes_what_it_silenced(room):
    fire(room)
    silence = hush(PATTERN)
    apply()
    later = clock.now() + timedelta(hours=1)
    silences.change(BY, silence.id, {"starts_at": later, "ends_at": later + timedelta(hours=1)})
    apply()
    assert silenced(room) == 0


def test_a_change_begins_again(room, monkeypatch):
    monkeypatch.setattr(silence_application, "SLICE", 1)
    fire(room, "db-1")
    fire(room, "db-2")
    silence = hush([{"label": "host", "op": "=~", "value": "db-2"}])
    apply(0)
    silences.change(BY, silence.id, {"matchers": [{"label": "host", "op": "=~", "value": "db-1"}]})
    assert stored(silence.id).applied_through == 0
    apply()
    assert [alert.silenced_until is not None for alert in room.alerts()] == [True, False]


def test_what_fails_is_tried_five_times_with_growing_waits_and_passed_over(room, monkeypatch):
    for number in range(3):
        fire(room, f"db-{number}")
    bad = room.alerts()[1].id
    silence = hush(PATTERN)
    original = LockedAlert.apply_silences

    def look(case: LockedAlert) -> None:
        if case.alert.id == bad:
            raise RuntimeError("a defect")
        original(case)

    monkeypatch.setattr(LockedAlert, "apply_silences", look)
    for tries in range(1, 6):
        assert apply() == 0
        assert (silenced(room), stored(silence.id).apply_tries) == (2, tries)
        assert apply() == 0, "it rests"
        assert not silence_application.WORK.is_due()
        clock.move(2**tries)
    assert apply() == 1
    assert (stored(silence.id).apply_code, silenced(room)) == ("alerts_passed_over", 2)
    assert not silence_application.WORK.is_due()


def test_a_process_that_dies_each_time_is_not_begun_a_sixth_time(room, monkeypatch):
    fire(room)
    silence = hush(PATTERN)

    def die(name: str) -> None:
        if name == "alerts.silence_begun":
            raise SystemExit

    monkeypatch.setattr(failpoints, "hit", die)
    for tries in range(1, 6):
        with pytest.raises(SystemExit):
            apply()
        db.session.rollback()
        assert stored(silence.id).apply_tries == tries
        clock.move(2**tries)
    assert apply() == 1
    assert stored(silence.id).apply_code == "alerts_passed_over"


def test_a_defect_of_one_alert_does_not_keep_later_ones_from_following(room, monkeypatch):
    monkeypatch.setattr(silence_application, "SLICE", 1)
    fire(room, "db-1")
    fire(room, "db-2")
    silence = hush(PATTERN)
    first, original = room.alerts()[0].id, LockedAlert.apply_silences

    def look(case: LockedAlert) -> None:
        if case.alert.id == first:
            raise RuntimeError("a defect")
        original(case)

    monkeypatch.setattr(LockedAlert, "apply_silences", look)
    for tries in range(1, 6):
        apply()
        clock.move(2**tries)
    apply()
    assert [alert.silenced_until is not None for alert in room.alerts()] == [False, True]
    assert stored(silence.id).applied_at is not None


def test_a_rule_for_which_a_whole_meter_is_not_enough_is_switched_off(room, monkeypatch):
    fire(room)
    silence = hush(PATTERN)
    monkeypatch.setattr(matchers.Meter, "__init__", small_meter(10))
    apply()
    assert stored(silence.id).disabled_code == "pattern_too_costly"
    assert silences.state_of(stored(silence.id)) == "disabled"
    assert silenced(room) == 0


def test_what_costs_more_than_a_meter_is_done_in_several(room, monkeypatch):
    for number in range(6):
        fire(room, f"db-{number}")
    silence = hush([{"label": "host", "op": "=~", "value": "db-.*"}])
    one = matchers.Meter()
    one.test("db-.*", "db-0")
    monkeypatch.setattr(matchers.Meter, "__init__", small_meter(one.spent * 3 - 1))
    apply()
    assert stored(silence.id).disabled_code is None
    assert silenced(room) == 6


def test_more_things_than_are_read_at_once_are_looked_at_by_their_alert(room, monkeypatch):
    monkeypatch.setattr(silence_application, "_MAX_ITEMS", 1)
    fire(room, "db-1")
    fire(room, "db-2")
    silence = hush(PATTERN)
    apply()
    assert silenced(room) == 2
    assert stored(silence.id).applied_at is not None


def test_statements_do_not_grow_with_what_does_not_match(room):
    for number in range(20):
        room.raise_(f"web-{number}", labels={"service": "web"})
    hush(PATTERN)
    counted: list[str] = []

    def count(_connection, _cursor, statement, *_) -> None:
        counted.append(statement)

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        silence_application.apply(Turn(60.0))
    finally:
        event.remove(db.engine, "before_cursor_execute", count)
    assert 0 < len(counted) < 20


def small_meter(limit: int):
    original = matchers.Meter.__init__

    def make(meter, given=limit, *rest, **named):
        original(meter, limit, *rest, **named)

    return make
