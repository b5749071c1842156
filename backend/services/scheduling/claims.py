"""Claiming what is due: in batches, each fire once, with the rows of its work in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.types import BigInteger, DateTime

from backend.core import clock, failpoints
from backend.core.database import db, system_scope
from backend.core.errors import AppError
from backend.core.logging import get_logger
from backend.models import Schedule, ScheduleFire
from backend.services.scheduling import registry, schedules
from backend.services.scheduling.due_policy import Plan, plan
from backend.services.scheduling.failures import DEFECT, fail, remember
from backend.services.scheduling.registry import Fire

log = get_logger(__name__)

BATCH: Final = 1000


def due() -> Select[int]:
    """The schedules that are due."""
    return select(Schedule.id).where(*_due(clock.now()))


def claim(limit: int = BATCH) -> int:
    """Fires up to `limit` of the schedules that are due, in one transaction; returns how many it took.

    Several processes at once take different ones. What was missed while nothing ran is made up for by one fire, for the
    last of the moments missed.
    """
    with system_scope("schedules of all workspaces are fired by one loop"):
        now = clock.now()
        due = (
            db.session.execute(
                select(Schedule)
                .where(*_due(now))
                .order_by(Schedule.next_fire_at, Schedule.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
                .execution_options(populate_existing=True)
            )
            .scalars()
            .all()
        )
        if not due:
            db.session.rollback()
            return 0
        plans = _plans(due, now)
        fires = _insert(due, plans, now)
        _advance(due, plans)
        failpoints.hit("scheduling.claimed")
        for job, batch in fires.items():
            _hand_out(job, batch)
        failpoints.hit("scheduling.fired_not_committed")
        db.session.commit()
    return len(due)


def _due(now: datetime) -> Iterator[Any]:
    # Only the jobs this process knows: during a release an older one leaves those of the newer.
    yield Schedule.enabled
    yield Schedule.next_fire_at.is_not(None)
    yield Schedule.next_fire_at <= now
    yield Schedule.job.in_(registry.names())


def _plans(due: Sequence[Schedule], now: datetime) -> list[Plan]:
    return [
        plan(schedules.timing_of(schedule), _next(schedule), now, registry.job_of(schedule.job).latest)
        for schedule in due
    ]


def _next(schedule: Schedule) -> datetime:
    assert schedule.next_fire_at is not None
    return schedule.next_fire_at


def _row(schedule: Schedule, planned: Plan, now: datetime) -> dict[str, Any]:
    """The fire of a schedule that is due, as plain values."""
    state = "done" if registry.job_of(schedule.job).carry_out is None else "waiting"
    if planned.code is not None:
        state = "skipped"
    return {
        "workspace_id": schedule.workspace_id,
        "schedule_id": schedule.id,
        "fire_at": planned.fire_at,
        "missed_since": planned.missed_since,
        "state": state,
        "code": planned.code,
        "fired_at": now,
        "finished_at": None if state == "waiting" else now,
    }


_STORED = (ScheduleFire.id, ScheduleFire.schedule_id, ScheduleFire.fire_at, ScheduleFire.state, ScheduleFire.code)


def _insert(due: Sequence[Schedule], plans: list[Plan], now: datetime) -> dict[str, list[Fire]]:
    """Stores the fires, each key once; returns those to hand out, by job."""
    by_id = {schedule.id: schedule for schedule in due}
    stored = db.session.execute(
        insert(ScheduleFire).on_conflict_do_nothing(index_elements=["schedule_id", "fire_at"]).returning(*_STORED),
        [_row(schedule, planned, now) for schedule, planned in zip(due, plans, strict=True)],
    ).all()
    fires: dict[str, list[Fire]] = defaultdict(list)
    for row in stored:
        of = by_id[row.schedule_id]
        if row.state == "done":
            fires[of.job].append(Fire(row.id, of.id, of.workspace_id, of.subject_id, row.fire_at))
        elif row.state == "skipped":
            log.warning("fire_skipped", job=of.job, schedule=of.id, fire=row.id, code=row.code)
            remember(of.workspace_id, of.id, of.job, row.code, now)
    return fires


_ADVANCE = text(
    "UPDATE schedules s SET next_fire_at = v.next_fire_at, last_fire_at = v.fire_at"
    " FROM unnest(:ids, :fired, :following) AS v (id, fire_at, next_fire_at) WHERE s.id = v.id"
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("fired", type_=ARRAY(DateTime(timezone=True))),
    bindparam("following", type_=ARRAY(DateTime(timezone=True))),
)


def _advance(due: Sequence[Schedule], plans: list[Plan]) -> None:
    db.session.execute(
        _ADVANCE,
        {
            "ids": [schedule.id for schedule in due],
            "fired": [planned.fire_at for planned in plans],
            "following": [planned.next_fire_at for planned in plans],
        },
    )


def _hand_out(job: str, batch: list[Fire]) -> None:
    """Has a job write the rows of its fires: of all at once, and where that raises of one after the other."""
    if not _try(job, batch) and len(batch) > 1:
        for fire in batch:
            _try(job, [fire])


def _try(job: str, batch: list[Fire]) -> bool:
    """Whether the job took the batch; the failure of a single one is recorded."""
    write = registry.job_of(job).fire
    assert write is not None
    try:
        with db.session.begin_nested():
            write(batch)
            db.session.flush()
    except (OperationalError, InterfaceError):
        raise
    except AppError as error:
        return _one_failed(job, batch, error.code)
    except Exception as error:
        log.exception("fire_failed", job=job, fires=len(batch), first=batch[0].id, error=type(error).__name__)
        return _one_failed(job, batch, DEFECT, type(error).__name__)
    return True


def _one_failed(job: str, batch: list[Fire], code: str, detail: str | None = None) -> bool:
    if len(batch) == 1:
        fail(db.session.get_one(ScheduleFire, batch[0].id), job, code, detail)
        db.session.flush()
    return False
