"""The tick: starts what is due by time. A job's slot and its start commit together, so two ticks start it once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from backend.core import clock, queue
from backend.core.database import db, system_scope
from backend.models import JobRun
from backend.services.housekeeping.locking import beat, only_one


@dataclass(frozen=True, slots=True)
class SystemJob:
    """A job of the instance that runs again and again in a lane."""

    name: str
    lane: str
    every: timedelta


SYSTEM_JOBS = (SystemJob("retention", "background", timedelta(hours=1)),)


def tick() -> bool:
    """Wakes the system jobs whose last run is long enough ago; False when another process is at it."""
    with only_one(db.engine, "tick") as lock:
        if lock is None:
            return False
        with system_scope("system jobs belong to the instance"):
            for job in SYSTEM_JOBS:
                last = db.session.execute(
                    select(JobRun.started_at).where(JobRun.job == job.name).order_by(JobRun.id.desc()).limit(1)
                ).scalar()
                if last is None or clock.now() - last >= job.every:
                    queue.wake_now(job.lane)
            db.session.rollback()
        db.session.remove()
        beat(db.engine, "tick")
    return True
