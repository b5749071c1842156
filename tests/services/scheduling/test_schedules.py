"""Schedules are made, changed, switched off and on; each change counts from now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.core.errors import Invalid, NotFound
from backend.models import Schedule, ScheduleFire
from backend.services import scheduling
from backend.services.scheduling import Timing
from tests.services.scheduling.conftest import BEGINNING, JOB
from tests.support import factories

HOUR = timedelta(hours=1)
HOURLY = Timing("interval", interval_seconds=3600)


def stored(model):
    return db.session.execute(select(model)).scalars().all()


def near(moment, expected):
    return abs(moment - expected) < timedelta(seconds=30)


def test_a_schedule_knows_its_next_time_at_once(home) -> None:
    made = scheduling.create(home.id, JOB, 1, Timing("cron", cron="0 9 * * *"))
    assert made.next_fire_at == BEGINNING + HOUR
    assert made.last_fire_at is None


def test_an_interval_is_counted_from_when_it_was_made(home) -> None:
    made = scheduling.create(home.id, JOB, 1, HOURLY)
    assert made.run_at is not None
    assert made.next_fire_at == made.run_at + HOUR


def test_an_interval_may_begin_later(home) -> None:
    start = BEGINNING + timedelta(days=2)
    made = scheduling.create(home.id, JOB, 1, Timing("interval", interval_seconds=3600, run_at=start))
    assert made.next_fire_at == start


def test_one_that_starts_switched_off_has_no_next_time(home) -> None:
    assert scheduling.create(home.id, JOB, 1, HOURLY, enabled=False).next_fire_at is None


@pytest.mark.parametrize("enabled", [True, False])
def test_a_timing_that_cannot_be_stores_nothing(home, enabled) -> None:
    with pytest.raises(Invalid):
        scheduling.create(home.id, JOB, 1, Timing("cron", cron="never"), enabled=enabled)
    assert stored(Schedule) == []


def test_a_subject_has_one_schedule(home) -> None:
    scheduling.create(home.id, JOB, 1, HOURLY)
    with pytest.raises(IntegrityError):
        scheduling.create(home.id, JOB, 1, HOURLY)


def test_another_workspaces_schedule_is_not_found(home) -> None:
    made = scheduling.create(home.id, JOB, 1, HOURLY)
    db.session.commit()
    with workspace_scope(factories.workspace().id):
        with pytest.raises(NotFound):
            scheduling.get(made.id)
        with pytest.raises(NotFound):
            scheduling.of(JOB, 1)
    with workspace_scope(home.id):
        assert scheduling.of(JOB, 1).id == scheduling.get(made.id).id == made.id


def test_another_timing_counts_from_now(home) -> None:
    made = scheduling.create(home.id, JOB, 1, Timing("cron", cron="0 9 * * *"))
    clock.move(300)
    scheduling.change(made, Timing("interval", interval_seconds=600))
    assert (made.kind, made.cron, made.interval_seconds) == ("interval", None, 600)
    assert made.next_fire_at is not None
    assert near(made.next_fire_at, BEGINNING + timedelta(seconds=900))


def test_the_same_timing_changes_nothing_also_where_it_is_over(home, fires) -> None:
    timing = Timing("once", run_at=BEGINNING + HOUR)
    made = scheduling.create(home.id, JOB, 1, timing)
    db.session.commit()
    clock.move(7200)
    scheduling.claim()
    assert scheduling.change(made, timing).next_fire_at is None


def test_a_schedule_that_is_switched_off_does_not_fire_and_does_not_catch_up(home, fires) -> None:
    made = scheduling.create(home.id, JOB, 1, Timing("cron", cron="0 9 * * *"))
    scheduling.pause(made)
    db.session.commit()
    clock.move(86_400)
    assert scheduling.claim() == 0
    scheduling.resume(made)
    db.session.commit()
    assert scheduling.claim() == 0
    assert made.next_fire_at == BEGINNING + timedelta(days=1, hours=1)
    clock.move(3600)
    assert scheduling.claim() == 1
    assert len(fires) == 1


def test_changing_the_timing_of_one_that_is_off_leaves_it_off(home) -> None:
    made = scheduling.create(home.id, JOB, 1, HOURLY, enabled=False)
    scheduling.change(made, Timing("cron", cron="0 9 * * *"))
    assert made.next_fire_at is None
    assert scheduling.resume(made).next_fire_at == BEGINNING + HOUR


def test_a_moment_that_passed_while_it_was_off_cannot_be_switched_on(home) -> None:
    made = scheduling.create(home.id, JOB, 1, Timing("once", run_at=BEGINNING + HOUR), enabled=False)
    clock.move(7200)
    with pytest.raises(Invalid) as refused:
        scheduling.resume(made)
    assert refused.value.code == "past_date"


def test_a_removed_schedule_takes_its_history_along(home, fires) -> None:
    made = scheduling.create(home.id, JOB, 1, HOURLY)
    db.session.commit()
    clock.move(3600)
    scheduling.claim()
    scheduling.remove(made)
    db.session.commit()
    assert (stored(Schedule), stored(ScheduleFire)) == ([], [])


def test_the_history_is_the_newest_first_and_by_the_page(home, fires) -> None:
    made = scheduling.create(home.id, JOB, 1, HOURLY)
    db.session.commit()
    for _ in range(3):
        clock.move(3600)
        scheduling.claim()
    page, cursor = scheduling.history(made, limit=2)
    rest, end = scheduling.history(made, limit=2, cursor=cursor)
    times = [fire.fire_at for fire in (*page, *rest)]
    assert times == sorted(times, reverse=True)
    assert (len(page), len(rest), end) == (2, 1, None)
