"""What the instance's owner sees of the system jobs, and does with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Text, func, select, true
from sqlalchemy.dialects.postgresql import array, insert

from backend.core import clock, queue
from backend.core.database import db, system_scope
from backend.core.errors import NotFound, TooManyRequests
from backend.models import Heartbeat, JobRun, Schedule, SystemJobState
from backend.services import job_history, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.scheduling import system_jobs
from backend.services.scheduling.system_jobs import SystemJob

BETWEEN_TRIGGERS: Final = timedelta(minutes=1)
OLDEST_TICK: Final = 15.0
"""Seconds after which it counts as stopped, as for readiness."""
_WHY: Final = "system jobs belong to the instance"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it stands. `next_run_at` is None while it is paused; a past one means that it is about to run."""

    job: SystemJob
    state: str
    """`running`, `queued`, `paused` or `idle`."""
    paused_at: datetime | None
    paused_by: str | None
    last_run: JobRun | None
    last_ended: JobRun | None
    next_run_at: datetime | None


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """The system jobs, and whether anything is there to fire schedules."""

    jobs: list[JobStatus]
    tick_age: float | None
    """Seconds since the tick last completed; None when it never did."""
    schedules: int
    """How many are switched on and have a next fire, in all workspaces."""
    overdue: int
    """How many of them are due now."""
    oldest_due_at: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether the tick completed of late."""
        return self.tick_age is not None and self.tick_age <= OLDEST_TICK


def status() -> SchedulerStatus:
    """Everything at once."""
    with system_scope(_WHY):
        now = clock.now()
        planned = Schedule.enabled & Schedule.next_fire_at.is_not(None)
        total = db.session.execute(select(func.count(Schedule.id)).where(planned)).scalar_one()
        overdue, oldest = db.session.execute(
            select(func.count(Schedule.id), func.min(Schedule.next_fire_at)).where(
                planned, Schedule.next_fire_at <= now
            )
        ).one()
        return SchedulerStatus(_statuses(), _tick_age(), total, overdue, oldest)


def is_running() -> bool:
    """Whether anything fires schedules at present, for whoever has planned something."""
    with system_scope(_WHY):
        age = _tick_age()
    return age is not None and age <= OLDEST_TICK


def job_status(name: str) -> JobStatus:
    """One job. Raises NotFound."""
    with system_scope(_WHY):
        return _status(_find(name))


def history(
    name: str, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[JobRun], str | None]:
    """A job's runs, the newest first. Raises NotFound."""
    with system_scope(_WHY):
        job = _find(name)
        return paging.page(select(JobRun).where(JobRun.job == job.name), JobRun.id, cursor=cursor, limit=limit)


def trigger(name: str, by: Attribution) -> JobRun:
    """Asks for a run now, once a minute for each job, also of a paused one; returns the run that is queued for it.

    Raises NotFound and TooManyRequests. A run under way goes on first. The run is stored: it takes place whether or not
    anybody can be woken for it now.
    """
    with system_scope(_WHY):
        job = _find(name)
        state, now = _lock(job), clock.now()
        age = now - state.triggered_at if state.triggered_at is not None else BETWEEN_TRIGGERS
        if timedelta(0) <= age < BETWEEN_TRIGGERS:
            wait = math.ceil((BETWEEN_TRIGGERS - age).total_seconds())
            raise TooManyRequests(message="This job was triggered less than a minute ago.", retry_after=wait)
        state.triggered_at = now
        run = db.session.execute(
            select(JobRun).where(JobRun.job == job.name, JobRun.state == system_jobs.QUEUED).limit(1)
        ).scalar_one_or_none()
        if run is None:
            run = job_history.open_run(job.name, "queued", triggered_by=by.label)
        audit.record(by, "job.triggered", f"job:{job.name}")
        db.session.flush()
    queue.wake(job.lane)
    return run


def pause(name: str, by: Attribution) -> JobStatus:
    """Keeps a job from beginning by itself; a run under way ends. Raises NotFound."""
    with system_scope(_WHY):
        job = _find(name)
        state = _lock(job)
        if state.paused_at is None:
            state.paused_at, state.paused_by = clock.now(), by.label
            audit.record(by, "job.paused", f"job:{job.name}")
            db.session.flush()
        return _status(job)


def resume(name: str, by: Attribution) -> JobStatus:
    """Lets a job begin by itself again; one that was due meanwhile is due now, once. Raises NotFound."""
    with system_scope(_WHY):
        job = _find(name)
        state = _lock(job)
        if state.paused_at is not None:
            state.paused_at = state.paused_by = None
            audit.record(by, "job.resumed", f"job:{job.name}")
            db.session.flush()
        return _status(job)


def _find(name: str) -> SystemJob:
    job = system_jobs.find(name)
    if job is None:
        raise NotFound("job_not_found", "There is no job of this name.")
    return job


def _lock(job: SystemJob) -> SystemJobState:
    db.session.execute(insert(SystemJobState).values(name=job.name).on_conflict_do_nothing())
    return db.session.execute(
        select(SystemJobState)
        .where(SystemJobState.name == job.name)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def _tick_age() -> float | None:
    age = func.extract("epoch", func.clock_timestamp() - Heartbeat.at)
    ticked = db.session.execute(select(age).where(Heartbeat.name == "tick")).scalar_one_or_none()
    return None if ticked is None else round(float(ticked), 1)


def _statuses() -> list[JobStatus]:
    """Every job, in four statements however many there are."""
    jobs = system_jobs.registered()
    names = [job.name for job in jobs]
    states = {state.name: state for state in db.session.execute(select(SystemJobState)).scalars()}
    begun = _newest(names, JobRun.state != system_jobs.QUEUED)
    ended = _newest(names, JobRun.state.in_(("succeeded", "failed")))
    unfinished = select(JobRun).where(JobRun.state.in_((system_jobs.QUEUED, system_jobs.RUNNING)))
    under_way: dict[str, JobRun] = {}
    for run in db.session.execute(unfinished.where(JobRun.job.in_(names)).order_by(JobRun.id)).scalars():
        under_way.setdefault(run.job, run)
    return [
        _shown(job, states.get(job.name), begun.get(job.name), under_way.get(job.name), ended.get(job.name))
        for job in jobs
    ]


def _newest(names: list[str], condition: ColumnElement[bool]) -> dict[str, JobRun]:
    """Each job's newest run of that kind, by one step down the index for each."""
    wanted = select(func.unnest(array(names, type_=Text)).label("name")).subquery()
    newest = (
        select(JobRun.id).where(JobRun.job == wanted.c.name, condition).order_by(JobRun.id.desc()).limit(1).lateral()
    )
    ids = select(newest.c.id).select_from(wanted.join(newest, true()))
    return {run.job: run for run in db.session.execute(select(JobRun).where(JobRun.id.in_(ids))).scalars()}


def _status(job: SystemJob) -> JobStatus:
    state = db.session.get(SystemJobState, job.name)
    return _shown(job, state, system_jobs.last(job), system_jobs.open_run(job), _last_ended(job))


def _shown(
    job: SystemJob,
    state: SystemJobState | None,
    begun: JobRun | None,
    under_way: JobRun | None,
    ended: JobRun | None,
) -> JobStatus:
    paused_at = state.paused_at if state is not None else None
    return JobStatus(
        job=job,
        state=under_way.state if under_way is not None else "idle" if paused_at is None else "paused",
        paused_at=paused_at,
        paused_by=state.paused_by if state is not None else None,
        last_run=begun,
        last_ended=ended,
        next_run_at=None if paused_at is not None else system_jobs.due_at(job, begun),
    )


def _last_ended(job: SystemJob) -> JobRun | None:
    return db.session.execute(
        select(JobRun)
        .where(JobRun.job == job.name, JobRun.state.in_(("succeeded", "failed")))
        .order_by(JobRun.id.desc())
        .limit(1)
    ).scalar_one_or_none()
