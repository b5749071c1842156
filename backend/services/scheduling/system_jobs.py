"""The instance's own jobs: registered by their features, run when they are due, one process at a time.

A run is a row of the job history, written before anything is done. It goes on over as many turns as it needs, each of
some seconds, so that it can be interrupted at any time and holds up nothing else in its lane for long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.core import clock, queue
from backend.core.database import db, system_scope
from backend.core.locking import advisory_lock
from backend.core.logging import get_logger
from backend.models import JobRun, SystemJobState
from backend.services.scheduling.timing import Timing, next_fire

log = get_logger(__name__)

TURN_SECONDS: Final = 5.0
QUEUED: Final = "queued"
RUNNING: Final = "running"
_WHY: Final = "system jobs belong to the instance"


@dataclass
class Turn:
    """One stretch of a run, of about `seconds`."""

    began: datetime
    """When the run began (business time): the same in each of its turns."""
    seconds: float = TURN_SECONDS
    at: str | None = None
    """What the job is at: the subject of the failure, should it fail now."""
    unfinished: bool = False
    _started: float = field(default_factory=time.monotonic)

    def is_over(self) -> bool:
        """Whether the job should stop here, with `go_on_later` if there is more to do."""
        return time.monotonic() - self._started > self.seconds

    def go_on_later(self) -> None:
        """Leaves the run open: it goes on with another turn."""
        self.unfinished = True


@dataclass(frozen=True, slots=True)
class SystemJob:
    """A job of the instance. While it works it holds the advisory lock of its name.

    `run` does one turn in the system scope, commits as it goes, and returns how many things it did. It may die at any
    point and begin anew. An interval is counted from the start of the run before; a job that never ran is due at once.
    """

    name: str
    lane: str
    timing: Timing
    run: Callable[[Turn], int]


_registered: dict[str, SystemJob] = {}


def register_system_job(job: SystemJob) -> SystemJob:
    """Makes the job known to the tick, the API and the console. Raises ValueError for a lane that does not exist."""
    if job.lane not in queue.QUEUES:
        raise ValueError(f"unknown lane {job.lane}")
    _registered[job.name] = job
    return job


def unregister_system_job(name: str) -> None:
    """Takes a registration back. For tests."""
    _registered.pop(name, None)


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
    if run is None:
        return clock.now()
    timing = job.timing
    if timing.kind == "interval":
        timing = replace(timing, run_at=run.started_at)
    return next_fire(timing, run.started_at)


def has_work(job: SystemJob) -> bool:
    """Whether the job has something to do: a run to go on with, one that was asked for, or one that is due."""
    if open_run(job) is not None:
        return True
    if is_paused(job):
        return False
    when = due_at(job, last(job))
    return when is not None and when <= clock.now()


def is_paused(job: SystemJob) -> bool:
    """Whether somebody has paused it. What is asked for by hand runs all the same."""
    state = db.session.get(SystemJobState, job.name)
    return state is not None and state.paused_at is not None


def is_at_work(job: SystemJob) -> bool:
    """Whether a process works at it right now."""
    # Taken for a moment only. A job that begins in it finds the lock taken and is woken by a later tick.
    with advisory_lock(db.engine, job.name) as lock:
        return lock is None


def run_lane(lane: str, seconds: float = TURN_SECONDS) -> int:
    """Gives each job of a lane that has something to do a turn of about `seconds`; returns how many things were done.

    Wakes the lane for what is unfinished. A job that raises ends its run as failed and does not keep the others.
    """
    return sum(work(job, seconds) for job in registered() if job.lane == lane)


def work(job: SystemJob, seconds: float = TURN_SECONDS) -> int:
    """Goes on with the job's run, or begins one if it is due; returns how many things were done.

    Does nothing while another process is at it. Raises only when the database is away; the run then stays open.
    """
    queue.clear_flag(job.lane)
    with advisory_lock(db.engine, job.name) as lock, system_scope(_WHY):
        run = _resume_or_begin(job) if lock is not None else None
        if run is None:
            return 0
        # The job may leave the session in any state: only these two are needed afterwards.
        run_id, turn = run.id, Turn(run.started_at, seconds)
        try:
            count = job.run(turn)
        except (OperationalError, InterfaceError):
            # The run is still under way, and the tick wakes it again.
            db.session.rollback()
            raise
        except Exception as error:
            db.session.rollback()
            log.exception("system_job_failed", job=job.name, at=turn.at, error=type(error).__name__)
            _end(run_id, "failed", code=type(error).__name__, subject=turn.at)
            return 0
        db.session.commit()
        _progress(run_id, count)
        if turn.unfinished:
            queue.wake_now(job.lane)
        else:
            _end(run_id, "succeeded")
        return count


def _resume_or_begin(job: SystemJob) -> JobRun | None:
    """The run under way, or a new one; None when none is due. Commits. To be called under the job's lock."""
    db.session.rollback()
    if not has_work(job):
        db.session.rollback()
        return None
    run = open_run(job)
    if run is None:
        run = JobRun(job=job.name, state=RUNNING, detail="0", started_at=clock.now())
        db.session.add(run)
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
