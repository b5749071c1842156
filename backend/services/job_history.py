"""The job history: what ran in the background, and what came to nothing, with the reason."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from backend.core import clock
from backend.core.database import db
from backend.models import JobRun

FAILED: Final = "failed"


def record_failure(
    job: str,
    code: str,
    subject: str,
    *,
    workspace_id: int | None = None,
    detail: str | None = None,
    started_at: datetime | None = None,
    triggered_by: str | None = None,
) -> JobRun:
    """Adds a failure to the history, in the caller's transaction.

    `subject` names the row it is about as `table:id`. `workspace_id` is None for what belongs to the instance,
    `started_at` is by default now.
    """
    now = clock.now()
    run = JobRun(
        workspace_id=workspace_id,
        job=job,
        state=FAILED,
        code=code,
        detail=detail,
        subject=subject,
        started_at=started_at or now,
        finished_at=now,
        triggered_by=triggered_by,
    )
    db.session.add(run)
    db.session.flush()
    return run


def open_run(job: str, state: Literal["queued", "running"], *, triggered_by: str | None = None) -> JobRun:
    """Adds a run of an instance's job that was asked for or begins now, in the caller's transaction."""
    run = JobRun(job=job, state=state, detail="0", started_at=clock.now(), triggered_by=triggered_by)
    db.session.add(run)
    return run
