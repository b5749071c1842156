"""A workspace's schedules: made, changed, switched off and on, and what came of each fire.

All of it in the caller's transaction and workspace scope; audit entries are the caller's, who knows what it is about.
"""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import NotFound
from backend.models import Schedule, ScheduleFire
from backend.services import paging
from backend.services.scheduling import timing as timings
from backend.services.scheduling.timing import Timing


def create(workspace_id: int, job: str, subject_id: int, timing: Timing, enabled: bool = True) -> Schedule:
    """Plans `job` for its subject. Raises Invalid (see `timing.check`), also for one that starts switched off.

    An interval without `run_at` is counted from now.
    """
    now = clock.now()
    timings.check(timing, now)
    schedule = Schedule(workspace_id=workspace_id, job=job, subject_id=subject_id, enabled=enabled, created_at=now)
    _set(schedule, timing)
    db.session.add(schedule)
    db.session.flush()
    return schedule


def get(schedule_id: int) -> Schedule:
    """A schedule of the workspace in scope. Raises NotFound."""
    schedule: Schedule | None = db.session.get(Schedule, schedule_id)
    if schedule is None:
        raise NotFound()
    return schedule


def of(job: str, subject_id: int) -> Schedule:
    """The schedule of a subject of the workspace in scope. Raises NotFound."""
    schedule = db.session.execute(
        select(Schedule).where(Schedule.job == job, Schedule.subject_id == subject_id)
    ).scalar_one_or_none()
    if schedule is None:
        raise NotFound()
    return schedule


def timing_of(schedule: Schedule) -> Timing:
    """The schedule's timing as a plain value."""
    kind = schedule.kind
    assert kind in ("cron", "interval", "once")
    return Timing(kind, schedule.cron, schedule.interval_seconds, schedule.run_at, schedule.timezone)  # type: ignore[arg-type]


def change(schedule: Schedule, timing: Timing) -> Schedule:
    """Gives a schedule another timing, from now on. Raises Invalid. The same timing changes nothing.

    An interval without `run_at` is counted from now.
    """
    _lock(schedule)
    if timing != timing_of(schedule):
        timings.check(timing, clock.now())
        _set(schedule, timing)
        db.session.flush()
    return schedule


def pause(schedule: Schedule) -> Schedule:
    """Switches a schedule off: nothing fires, and what would have fired meanwhile is not made up for."""
    _lock(schedule)
    schedule.enabled, schedule.next_fire_at = False, None
    db.session.flush()
    return schedule


def resume(schedule: Schedule) -> Schedule:
    """Switches a schedule on, from now. Raises Invalid (`past_date`) for a moment that is over."""
    _lock(schedule)
    if not schedule.enabled:
        timing = timing_of(schedule)
        timings.check(timing, clock.now())
        schedule.enabled, schedule.next_fire_at = True, timings.next_fire(timing, clock.now())
        db.session.flush()
    return schedule


def remove(schedule: Schedule) -> None:
    """Ends a schedule, and with it its history. What it has already stored elsewhere stays."""
    _lock(schedule)
    db.session.delete(schedule)
    db.session.flush()


def history(
    schedule: Schedule, *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[ScheduleFire], str | None]:
    """Each fire, the newest first."""
    query = select(ScheduleFire).where(ScheduleFire.schedule_id == schedule.id)
    return paging.page(query, ScheduleFire.id, cursor=cursor, limit=limit)


def _set(schedule: Schedule, timing: Timing) -> None:
    now = clock.now()
    for name, value in asdict(timing).items():
        setattr(schedule, name, value)
    if timing.kind == "interval" and timing.run_at is None:
        schedule.run_at = now
    schedule.next_fire_at = timings.next_fire(timing_of(schedule), now) if schedule.enabled else None


def _lock(schedule: Schedule) -> None:
    """Waits for a fire that is under way, so that it and the change do not overwrite each other."""
    db.session.refresh(schedule, with_for_update=True)
