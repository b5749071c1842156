"""The tick: wakes the instance's own jobs when they are due, and those whose run was interrupted."""

from __future__ import annotations

from backend.core import queue
from backend.core.database import db, system_scope
from backend.services.housekeeping import retention, runs
from backend.services.housekeeping.locking import beat, only_one

SYSTEM_JOBS = (retention.JOB,)


def tick() -> bool:
    """Wakes the system jobs that are due and that no process works at now; False when another process ticks."""
    with only_one(db.engine, "tick") as lock:
        if lock is None:
            return False
        with system_scope("system jobs belong to the instance"):
            for job in SYSTEM_JOBS:
                if runs.is_due(job, runs.last(job)) and not _is_at_work(job):
                    queue.wake_now(job.lane)
            db.session.rollback()
        db.session.remove()
        beat(db.engine, "tick")
    return True


def _is_at_work(job: runs.SystemJob) -> bool:
    # Taken for a moment only. A job that begins in it finds the lock taken and is woken by a later tick.
    with only_one(db.engine, job.name) as lock:
        return lock is None
