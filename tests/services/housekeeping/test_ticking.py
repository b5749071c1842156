"""The tick starts what is due by time, once, and goes on with what was interrupted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.core import clock, queue
from backend.core.database import db
from backend.models import Heartbeat, JobRun
from backend.services import housekeeping, scheduling
from backend.services.housekeeping import retention
from backend.services.scheduling import Timing, registry, system_jobs
from tests.support import factories

JOB = retention.JOB


@pytest.fixture(autouse=True)
def retention_alone(monkeypatch):
    """The other jobs of the instance, which never ran here, would all be due."""
    monkeypatch.setattr(system_jobs, "_registered", {JOB.name: JOB})


def queued(valkey):
    return valkey.llen("rq:queue:background")


def ran(state, ago, **values):
    run = JobRun(job=JOB.name, state=state, started_at=clock.now() - ago, **values)
    db.session.add(run)
    db.session.commit()
    return run


def after_a_moment(valkey):
    """What the worker's taking the job and five seconds do."""
    valkey.delete("rq:queue:background", "switchboard:wake:background")


def test_the_tick_wakes_retention_that_never_ran(valkey):
    assert housekeeping.tick() is True
    assert queued(valkey) == 1


@pytest.mark.parametrize(
    ("state", "ago", "expected"),
    [
        ("succeeded", timedelta(minutes=59), 0),
        ("succeeded", timedelta(minutes=61), 1),
        ("failed", timedelta(minutes=59), 0),
        ("failed", timedelta(minutes=61), 1),
        ("running", timedelta(seconds=10), 1),
    ],
)
def test_the_tick_wakes_what_is_due_or_was_interrupted(valkey, state, ago, expected):
    ran(state, ago)
    housekeeping.tick()
    assert queued(valkey) == expected


def test_ticks_do_not_queue_a_job_that_is_at_work(valkey, held):
    ran("running", timedelta(seconds=10))
    with held(JOB.name):
        for _ in range(4):
            housekeeping.tick()
            after_a_moment(valkey)
        housekeeping.tick()
        assert queued(valkey) == 0
    housekeeping.tick()
    assert queued(valkey) == 1


def test_ticks_queue_one_job_while_no_worker_takes_it(valkey):
    for _ in range(4):
        housekeeping.tick()
        queue.clear_flag(JOB.lane)
    assert queued(valkey) == 1


def test_only_one_of_two_processes_ticks(valkey, held):
    with held("tick"):
        assert housekeeping.tick() is False
    assert queued(valkey) == 0
    assert db.session.execute(select(Heartbeat)).scalars().all() == []


def test_each_tick_beats(valkey):
    housekeeping.tick()
    assert db.session.execute(select(Heartbeat.name)).scalars().all() == ["tick"]


def test_a_tick_beats_while_redis_is_away(redis_away):
    assert housekeeping.tick() is True
    assert db.session.execute(select(Heartbeat.name)).scalars().all() == ["tick"]


def test_while_redis_is_away_the_tick_runs_the_jobs_itself_and_beats(redis_away):
    housekeeping.tick()
    found = db.session.execute(select(JobRun.state).where(JobRun.job == JOB.name)).scalars().all()
    assert found == ["succeeded"]
    assert db.session.execute(select(Heartbeat.name)).scalars().all() == ["tick"]


def test_while_redis_is_away_the_tick_fires_what_is_due(redis_away, fires):
    scheduling.create(factories.workspace().id, "a test", 7, Timing("interval", interval_seconds=60))
    db.session.commit()
    clock.move(60)
    housekeeping.tick()
    assert [fire.subject_id for fire in fires] == [7]


def test_the_tick_wakes_the_scheduler_only_for_what_is_due(valkey, fires):
    scheduling.create(factories.workspace().id, "a test", 7, Timing("interval", interval_seconds=60))
    db.session.commit()
    housekeeping.tick()
    assert valkey.llen("rq:queue:scheduling") == 0
    clock.move(60)
    housekeeping.tick()
    assert valkey.llen("rq:queue:scheduling") == 1
    assert fires == []


@pytest.fixture
def fires():
    """The fires of the job `a test`."""
    seen: list[scheduling.Fire] = []
    scheduling.register("a test", seen.extend)
    yield seen
    registry.unregister("a test")


def test_every_system_job_runs_in_a_lane_that_exists():
    assert {job.lane for job in system_jobs.registered()} <= set(queue.QUEUES)
    assert JOB in system_jobs.registered()
