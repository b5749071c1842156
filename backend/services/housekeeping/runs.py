"""The runs of the instance's own jobs: rows of the job history that say whether one is due, under way, or over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.models import JobRun

RUNNING = "running"


@dataclass(frozen=True, slots=True)
class SystemJob:
    """A job of the instance that runs again and again in a lane. While it works it holds the lock of its name."""

    name: str
    lane: str
    every: timedelta


def last(job: SystemJob) -> JobRun | None:
    """The job's newest run."""
    return db.session.execute(
        select(JobRun).where(JobRun.job == job.name).order_by(JobRun.id.desc()).limit(1)
    ).scalar_one_or_none()


def is_due(job: SystemJob, run: JobRun | None) -> bool:
    """Whether the job has something to do, given its newest run: one to go on with, or a new one to begin."""
    return run is None or run.state == RUNNING or clock.now() - run.started_at >= job.every


def resume_or_begin(job: SystemJob) -> JobRun | None:
    """The run under way, or a new one; None when none is due. Commits. To be called under the job's lock."""
    run = last(job)
    if not is_due(job, run):
        db.session.rollback()
        return None
    if run is None or run.state != RUNNING:
        run = JobRun(job=job.name, state=RUNNING, detail="0", started_at=clock.now())
        db.session.add(run)
    db.session.commit()
    return run


def progress(run: JobRun, touched: int) -> None:
    """Adds to how many rows the run has touched. Commits."""
    run.detail = str(int(run.detail or 0) + touched)
    db.session.commit()


def succeed(run: JobRun) -> None:
    """Ends the run. Commits."""
    run.state, run.finished_at = "succeeded", clock.now()
    db.session.commit()


def fail(run: JobRun, code: str, subject: str) -> None:
    """Ends the run, saying what was wrong and with what. Commits."""
    run.state, run.code, run.subject, run.finished_at = "failed", code, subject, clock.now()
    db.session.commit()
