"""The instance's own jobs: registered by their features, run when they are due, one process at a time.

A run is a row of the job history, written before anything is done. It goes on over as many turns as it needs, each of
some seconds, so that it can be interrupted at any time and holds up nothing else in its lane for long.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.types import Text

from backend.core import clock, work
from backend.core.database import UtcDateTime, db, system_scope
from backend.core.locking import advisory_lock
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Work
from backend.models import JobRun
from backend.services import job_history
from backend.services.scheduling.timing import Timing, next_fire

log = get_logger(__name__)

QUEUED: Final = "queued"
RUNNING: Final = "running"
_WHY: Final = "system jobs belong to the instance"


@dataclass
class JobTurn(Turn):
    """One stretch of a run. `go_on_later` leaves the run open: it goes on with another turn."""

    began: datetime = field(kw_only=True)
    """When the run began (business time): the same in each of its turns."""
    at: str | None = None
    """What the job is at: the subject of the failure, should it fail now."""


@dataclass(frozen=True, slots=True)
class SystemJob:
    """A job of the instance. While it works it holds the advisory lock of its name.

    `run` does one turn in the system scope, commits as it goes, and returns how many things it did. It may die at any
    point and begin again. An interval is counted from the start of the run before; a job that never ran is due at once.
    One that waits for other people's servers has a `pool` (see `Work`).
    """

    name: str
    lane: str
    timing: Timing
    run: Callable[[JobTurn], int]
    pool: BoundedPool | None = None


_registered: dict[str, SystemJob] = {}


def register_system_job(job: SystemJob) -> SystemJob:
    """Makes the job known to the work registry, the API and the console. Raises ValueError for an unknown lane."""
    may_begin, run = partial(_may_begin, job), partial(give_turn, job)
    work.register(Work(job.name, job.lane, may_begin, run, timed=True, pool=job.pool, asked_with=_may_begin_among))
    _registered[job.name] = job
    return job


def unregister_system_job(name: str) -> None:
    """Takes a registration back. For tests."""
    _registered.pop(name, None)
    work.unregister(name)


def registered() -> list[SystemJob]:
    """Every system job, by name."""
    return [_registered[name] for name in sorted(_registered)]


def find(name: str) -> SystemJob | None:
    """The job of this name."""
    return _registered.get(name)


def last(job: SystemJob) -> JobRun | None:
    """The job's newest run that has begun."""
    return db.session.execute(
        select(JobRun).where(JobRun.job == job.name, JobRun.state != QUEUED).order_by(JobRun.id.desc()).limit(1)
    ).scalar_one_or_none()


def open_run(job: SystemJob) -> JobRun | None:
    """The run that is under way, else the one that somebody asked for."""
    return db.session.execute(
        select(JobRun).where(JobRun.job == job.name, JobRun.state.in_((QUEUED, RUNNING))).order_by(JobRun.id).limit(1)
    ).scalar_one_or_none()


def due_at(job: SystemJob, run: JobRun | None) -> datetime | None:
    """When the job is due next, given its newest run. May be past."""
    return _due_after(job, None if run is None else run.started_at)


def _due_after(job: SystemJob, began: datetime | None) -> datetime | None:
    """When a job whose newest run began then is due next."""
    if began is None:
        return clock.now()
    timing = job.timing
    if timing.kind == "interval":
        timing = replace(timing, run_at=began)
    return next_fire(timing, began)


_STATES: Final = (
    text(
        """
        SELECT w.name, s.paused_at IS NOT NULL AS is_paused,
               EXISTS (SELECT 1 FROM job_runs r WHERE r.job = w.name AND r.state IN ('queued', 'running')) AS is_open,
               (SELECT r.started_at FROM job_runs r WHERE r.job = w.name AND r.state <> 'queued'
                 ORDER BY r.id DESC LIMIT 1) AS began
          FROM unnest(:names) AS w(name) LEFT JOIN system_jobs s ON s.name = w.name
        """
    )
    .bindparams(bindparam("names", type_=ARRAY(Text)))
    .columns(began=UtcDateTime)
)


def with_work(by: Any, names: Collection[str]) -> list[str]:
    """Those of these jobs that have something to do: a run to go on with, one that was asked for, or one that is due.

    What is asked for by hand runs also while the job is paused. Asks `by` a session or connection.
    """
    rows = by.execute(_STATES, {"names": list(names)}).all()
    return [row.name for row in rows if row.is_open or (not row.is_paused and _is_due(row.name, row.began))]


def _is_due(name: str, began: datetime | None) -> bool:
    when = _due_after(_registered[name], began)
    return when is not None and when <= clock.now()


def is_at_work(job: SystemJob) -> bool:
    """Whether a process works at it right now."""
    # Taken for a moment only. A job that begins in it finds the lock taken and is woken by a later tick.
    with advisory_lock(db.engine, job.name) as lock:
        return lock is None


def _may_begin(job: SystemJob) -> bool:
    return bool(_may_begin_among(db.session, [job.name]))


def _may_begin_among(by: Any, names: Collection[str]) -> list[str]:
    return [name for name in with_work(by, names) if not is_at_work(_registered[name])]


def give_turn(job: SystemJob, turn: Turn) -> int:
    """Goes on with the job's run, or begins one if it is due; returns how many things were done.

    Does nothing while another process is at it. A job that raises ends its run as failed. Raises only when the database
    is away; the run then stays open.
    """
    with advisory_lock(db.engine, job.name) as lock, system_scope(_WHY):
        run = _resume_or_begin(job) if lock is not None else None
        if run is None:
            return 0
        # The job may leave the session in any state: only these two are needed afterwards.
        run_id, own = run.id, JobTurn(turn.left(), turn.monotonic, began=run.started_at)
        try:
            count = job.run(own)
        except (OperationalError, InterfaceError):
            # The run is still under way, and the tick wakes it again.
            db.session.rollback()
            raise
        except Exception as error:
            db.session.rollback()
            log.exception("system_job_failed", job=job.name, at=own.at, error=type(error).__name__)
            _end(run_id, "failed", code=type(error).__name__, subject=own.at)
            return 0
        db.session.commit()
        _progress(run_id, count)
        if own.unfinished:
            turn.go_on_later()
        else:
            _end(run_id, "succeeded")
        return count


def _resume_or_begin(job: SystemJob) -> JobRun | None:
    """The run under way, or a new one; None when none is due. Commits. To be called under the job's lock."""
    db.session.rollback()
    if not with_work(db.session, [job.name]):
        db.session.rollback()
        return None
    run = open_run(job)
    if run is None:
        run = job_history.open_run(job.name, "running")
    elif run.state == QUEUED:
        run.state, run.started_at = RUNNING, clock.now()
    db.session.commit()
    return run


def _progress(run_id: int, done: int) -> None:
    run = db.session.get_one(JobRun, run_id)
    run.detail = str(int(run.detail or 0) + done)
    db.session.commit()


def _end(run_id: int, state: str, *, code: str | None = None, subject: str | None = None) -> None:
    run = db.session.get_one(JobRun, run_id)
    run.state, run.code, run.subject, run.finished_at = state, code, subject, clock.now()
    db.session.commit()
