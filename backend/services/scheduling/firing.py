"""Firing: what is due is claimed, and what waits is carried out."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.core import clock, failpoints, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError
from backend.core.logging import get_logger
from backend.core.work import Turn, Waiting, Work
from backend.core.work import register as register_work
from backend.models import Schedule, ScheduleFire
from backend.services.auth.attribution import Attribution
from backend.services.scheduling import claims, registry
from backend.services.scheduling.failures import DEFECT, fail
from backend.services.scheduling.registry import Fire

log = get_logger(__name__)

LANE: Final = "scheduling"


def waiting() -> Waiting:
    """Schedules that are due, and fires that wait to be carried out."""
    return claims.due(), _waiting_fires()


def drain(turn: Turn) -> int:
    """Fires what is due and carries it out until the turn is over; returns how many fires."""
    fired = 0
    while not turn.is_over() and (batch := claims.claim()) > 0:
        fired += batch
    carry_out_waiting(turn)
    if turn.is_over():
        turn.go_on_later()
    return fired


def run_now(schedule: Schedule, by: Attribution) -> ScheduleFire:
    """Fires a schedule once at this moment, also one that is switched off; its next fire stays. `by` is recorded.

    In the caller's transaction and workspace scope; what the job raises is raised here.
    """
    job = registry.job_of(schedule.job)
    now = clock.now()
    fire = ScheduleFire(
        workspace_id=schedule.workspace_id,
        schedule_id=schedule.id,
        fire_at=now,
        state="waiting" if job.carry_out else "done",
        triggered_by=by.label,
        fired_at=now,
        finished_at=None if job.carry_out else now,
    )
    db.session.add(fire)
    db.session.flush()
    if job.fire is not None:
        with system_scope("a job's fires may be of any workspace"):
            job.fire([_fire(fire, schedule)])
            db.session.flush()
    queue.wake(LANE)
    return fire


def carry_out_waiting(turn: Turn) -> int:
    """Carries out the fires that wait, the oldest first, one at least, until the turn is over; returns how many."""
    ended = 0
    with system_scope("fires of all workspaces are carried out by one loop"):
        while True:
            row = db.session.execute(_waiting_fires().with_for_update(of=ScheduleFire, skip_locked=True)).first()
            if row is None:
                db.session.rollback()
                return ended
            failpoints.hit("scheduling.taken")
            _carry_out(row[0], row[1])
            ended += 1
            if turn.is_over():
                turn.go_on_later()
                return ended


def _carry_out(row: ScheduleFire, schedule: Schedule) -> None:
    """Ends one fire that is locked; commits."""
    carry_out = registry.job_of(schedule.job).carry_out
    assert carry_out is not None
    fire = _fire(row, schedule)
    try:
        with db.session.begin_nested(), workspace_scope(fire.workspace_id):
            row.result = carry_out(fire)
            db.session.flush()
        row.state, row.finished_at = "done", clock.now()
    except (OperationalError, InterfaceError):
        # The database went away: the fire still waits.
        db.session.rollback()
        raise
    except AppError as error:
        fail(row, schedule.job, error.code)
    except Exception as error:
        log.exception("fire_failed", job=schedule.job, fire=fire.id, error=type(error).__name__)
        fail(row, schedule.job, DEFECT, type(error).__name__)
    failpoints.hit("scheduling.carried_out_not_committed")
    db.session.commit()


def _waiting_fires() -> Select[ScheduleFire, Schedule]:
    """The fire that has waited longest."""
    return (
        select(ScheduleFire, Schedule)
        .join(Schedule, Schedule.id == ScheduleFire.schedule_id)
        .where(ScheduleFire.state == "waiting", Schedule.job.in_(registry.names_of_each()))
        .order_by(ScheduleFire.id)
        .limit(1)
        .execution_options(populate_existing=True)
    )


def _fire(row: ScheduleFire, schedule: Schedule) -> Fire:
    return Fire(row.id, schedule.id, schedule.workspace_id, schedule.subject_id, row.fire_at, row.triggered_by)


WORK: Final = register_work(Work("schedules", LANE, waiting, drain, timed=True))
