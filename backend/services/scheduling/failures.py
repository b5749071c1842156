"""Failed fires: recorded in the fire and in the job history."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from backend.core import clock
from backend.core.database import db
from backend.models import JobRun, ScheduleFire

DEFECT: Final = "internal_error"


def fail(row: ScheduleFire, job: str, code: str, detail: str | None = None) -> None:
    """Ends a fire as failed, in the job history too."""
    now = clock.now()
    row.state, row.code, row.result, row.finished_at = "failed", code, None, now
    remember(row.workspace_id, row.schedule_id, job, code, row.fired_at, detail=detail, by=row.triggered_by)


def remember(
    workspace_id: int,
    schedule_id: int,
    job: str,
    code: str,
    fired_at: datetime,
    *,
    detail: str | None = None,
    by: str | None = None,
) -> None:
    """Adds a failure to the job history."""
    db.session.add(
        JobRun(
            workspace_id=workspace_id,
            job=job,
            state="failed",
            code=code,
            detail=detail,
            subject=f"schedules:{schedule_id}",
            started_at=fired_at,
            finished_at=clock.now(),
            triggered_by=by,
        )
    )
