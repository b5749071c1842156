"""What is due fires once, in batches, together with its work; a bad one holds nobody back."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.exc import OperationalError

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.errors import Conflict
from backend.models import JobRun, NotificationSettings, Schedule, ScheduleFire, User
from backend.services import scheduling
from backend.services.scheduling import Timing, claims, registry
from tests.services.scheduling.conftest import BEGINNING, JOB
from tests.support import factories

HOUR = timedelta(hours=1)


def planned(home, count=1, job=JOB, first=1):
    made = [
        scheduling.create(home.id, job, number, Timing("cron", cron="0 9 * * *"))
        for number in range(first, first + count)
    ]
    db.session.commit()
    return made


def stored(**values):
    db.session.rollback()
    return db.session.execute(select(ScheduleFire).filter_by(**values).order_by(ScheduleFire.id)).scalars().all()


def job_history():
    return db.session.execute(select(JobRun.job, JobRun.code, JobRun.subject)).all()


def test_what_is_due_fires_once_and_names_its_subject(home, fires) -> None:
    (made,) = planned(home)
    assert scheduling.claim() == 0
    clock.move(3600)
    assert scheduling.claim() == 1
    assert scheduling.claim() == 0
    (fire,) = fires
    assert (fire.schedule_id, fire.workspace_id, fire.subject_id) == (made.id, home.id, 1)
    assert fire.fire_at == BEGINNING + HOUR
    (row,) = stored()
    assert (row.id, row.state, row.missed_since, row.triggered_by) == (fire.id, "done", None, None)
    fresh = db.session.get_one(Schedule, made.id, populate_existing=True)
    assert (fresh.last_fire_at, fresh.next_fire_at) == (BEGINNING + HOUR, BEGINNING + timedelta(days=1, hours=1))


def test_after_days_without_a_worker_there_is_one_fire_which_says_what_was_missed(home, fires) -> None:
    scheduling.create(home.id, JOB, 1, Timing("interval", interval_seconds=60, run_at=BEGINNING))
    db.session.commit()
    clock.move(86_400)
    scheduling.claim()
    scheduling.claim()
    (row,) = stored()
    assert row.missed_since is not None
    assert row.fire_at - row.missed_since > timedelta(hours=23)
    assert len(fires) == 1


def test_what_is_too_late_is_skipped_and_says_so(home, fires) -> None:
    scheduling.create(home.id, JOB, 1, Timing("once", run_at=BEGINNING + HOUR))
    db.session.commit()
    clock.move(50 * 3600)
    assert scheduling.claim() == 1
    assert [(row.state, row.code) for row in stored()] == [("skipped", "too_late")]
    assert fires == []
    assert job_history() == [(JOB, "too_late", f"schedules:{stored()[0].schedule_id}")]


def test_a_clock_that_is_set_back_fires_nothing_twice(home, fires) -> None:
    (made,) = planned(home)
    clock.move(3600)
    scheduling.claim()
    clock.move(-1800)
    scheduling.change(made, Timing("cron", cron="0 9 * * *", timezone="Etc/UTC"))
    db.session.commit()
    clock.move(1800)
    scheduling.claim()
    assert len(fires) == len(stored()) == 1


def test_jobs_of_a_newer_version_are_left_to_it(home, fires) -> None:
    planned(home, job="not known here")
    clock.move(3600)
    assert not scheduling.WORK.is_due()
    assert scheduling.claim() == 0
    assert stored() == []


def test_a_schedule_that_cannot_be_read_ends_and_does_not_hold_back_the_others(home, fires) -> None:
    bad, good = planned(home, 2)
    bad.timezone = "Europe/Atlantis"
    db.session.commit()
    clock.move(3600)
    scheduling.claim()
    assert [fire.schedule_id for fire in fires] == [good.id]
    assert [(row.state, row.code) for row in stored(schedule_id=bad.id)] == [("skipped", "unreadable_schedule")]
    assert db.session.get_one(Schedule, bad.id, populate_existing=True).next_fire_at is None


@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("a defect"), "internal_error"), (Conflict("bot_inactive"), "bot_inactive")]
)
def test_a_fire_whose_job_raises_is_recorded_and_the_others_take_place(home, error, code) -> None:
    person = factories.user(home)
    db.session.commit()
    done = []

    def fire(batch):
        for one in batch:
            person.name = f"fired {one.subject_id}"
            db.session.flush()
            if one.subject_id == 3:
                raise error
        done.extend(batch)

    scheduling.register(JOB, fire)
    planned(home, 5)
    clock.move(3600)
    scheduling.claim()
    registry.unregister(JOB)
    assert [one.subject_id for one in done] == [1, 2, 4, 5]
    assert Counter(row.state for row in stored()) == {"done": 4, "failed": 1}
    (failed,) = stored(state="failed")
    assert failed.code == code
    assert job_history() == [(JOB, code, f"schedules:{failed.schedule_id}")]
    assert db.session.get_one(User, person.id, populate_existing=True).name == "fired 5"
    assert scheduling.claim() == 0


def test_when_the_database_goes_away_nothing_has_fired(home) -> None:
    def away(batch):
        raise OperationalError("INSERT", {}, ConnectionError())

    scheduling.register(JOB, away)
    planned(home)
    clock.move(3600)
    with pytest.raises(OperationalError):
        scheduling.claim()
    db.session.rollback()
    assert stored() == []
    seen: list[scheduling.Fire] = []
    scheduling.register(JOB, seen.extend)
    assert scheduling.claim() == 1
    registry.unregister(JOB)
    assert len(seen) == 1


def put(home, count, next_fire_at):
    """Schedules with some hundred different timings, in one statement."""
    rows = [
        {
            "workspace_id": home.id,
            "job": JOB,
            "subject_id": number,
            "kind": "cron",
            "cron": f"{number % 60} 9 * * *",
            "timezone": ("UTC", "Asia/Seoul", "Europe/Berlin")[number % 3],
            "next_fire_at": next_fire_at,
            "created_at": next_fire_at,
        }
        for number in range(count)
    ]
    db.session.execute(insert(Schedule), rows)
    db.session.commit()


def test_a_thousand_due_at_once_cost_a_handful_of_statements(home, fires) -> None:
    batches = 3
    put(home, batches * claims.BATCH, clock.now())
    statements: list[str] = []

    def count_statement(connection, cursor, statement, *rest):
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", count_statement)
    try:
        while scheduling.claim():
            pass
    finally:
        event.remove(db.engine, "before_cursor_execute", count_statement)
    assert len(fires) == batches * claims.BATCH
    # A select, an insert, an update and a savepoint around the job's own for each batch, and a last look.
    assert len(statements) <= 6 * batches + 1, statements
    assert sum(statement.startswith("INSERT INTO schedule_fires") for statement in statements) == batches


def test_the_claim_reads_the_index_of_what_is_due(home, fires) -> None:
    put(home, 5000, clock.now() + timedelta(days=30))
    with system_scope("a test of the plan"):
        connection = db.session.connection()
        connection.exec_driver_sql("ANALYZE schedules")
        found = connection.exec_driver_sql(
            "EXPLAIN SELECT id FROM schedules WHERE enabled AND next_fire_at IS NOT NULL AND next_fire_at <= now()"
            " AND job IN ('a test') ORDER BY next_fire_at, id LIMIT 1000 FOR UPDATE SKIP LOCKED"
        ).scalars()
        assert "ix_schedules_due" in "\n".join(found)
        db.session.rollback()


def test_processes_that_claim_at_once_take_different_ones(app, home) -> None:
    everyone = 300
    planned(home, everyone)
    clock.move(3600)
    seen: list[int] = []
    start = threading.Barrier(4)

    def fire(batch):
        seen.extend(one.subject_id for one in batch)

    def claim():
        with app.app_context():
            start.wait()
            while scheduling.claim(20):
                pass

    scheduling.register(JOB, fire)
    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    registry.unregister(JOB)
    assert sorted(seen) == list(range(1, everyone + 1))
    assert len(stored()) == everyone


def test_the_work_is_stored_with_the_fire_or_not_at_all(home, monkeypatch) -> None:
    """A process that dies between the two leaves neither, and the next one does both."""
    person = factories.user(home)
    db.session.commit()

    def fire(batch):
        now = clock.now()
        db.session.execute(
            insert(NotificationSettings),
            [{"workspace_id": one.workspace_id, "user_id": person.id, "updated_at": now} for one in batch],
        )

    def dies(name):
        if name == "scheduling.fired_not_committed":
            raise KeyboardInterrupt

    scheduling.register(JOB, fire)
    planned(home)
    clock.move(3600)
    with monkeypatch.context() as patched:
        patched.setattr(claims.failpoints, "hit", dies)
        with pytest.raises(KeyboardInterrupt):
            scheduling.claim()
    db.session.rollback()
    assert stored() == []
    assert db.session.execute(select(NotificationSettings)).all() == []
    assert scheduling.claim() == 1
    registry.unregister(JOB)
    assert len(stored()) == len(db.session.execute(select(NotificationSettings)).all()) == 1
