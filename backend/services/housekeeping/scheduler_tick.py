"""The tick: wakes the scheduler when something is due by time, and the instance's own jobs.

While Redis is away it does the work itself, in short turns, and beats after each: readiness counts on it.
"""

from __future__ import annotations

from backend.core import queue
from backend.core.database import db, system_scope
from backend.core.locking import advisory_lock, record_heartbeat
from backend.services import scheduling
from backend.services.housekeeping import registered_jobs as registered_jobs
from backend.services.scheduling import system_jobs

_TURN_SECONDS = 3.0


def tick() -> bool:
    """Wakes what is due and not at work, or does it here when nobody can be woken; False when another process ticks."""
    with advisory_lock(db.engine, "tick") as lock:
        if lock is None:
            return False
        if scheduling.waiting() and not queue.wake_now(scheduling.LANE):
            scheduling.drain(_TURN_SECONDS)
            record_heartbeat(db.engine, "tick")
        for job in _jobs_to_wake():
            if not queue.wake_now(job.lane):
                system_jobs.work(job, _TURN_SECONDS)
                record_heartbeat(db.engine, "tick")
        db.session.remove()
        record_heartbeat(db.engine, "tick")
    return True


def _jobs_to_wake() -> list[system_jobs.SystemJob]:
    with system_scope("system jobs belong to the instance"):
        due = [job for job in system_jobs.registered() if system_jobs.has_work(job)]
        db.session.rollback()
    return [job for job in due if not system_jobs.is_at_work(job)]
