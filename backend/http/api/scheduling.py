"""The scheduler's system jobs: what they are, what they did, and running, pausing and resuming them by hand."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.scheduling import JobOut, JobRuns, SchedulerOut, Triggered
from backend.services.auth.actor import ADMIN, JOBS_TRIGGER
from backend.services.housekeeping import declarations as declarations
from backend.services.scheduling import administration
from backend.services.scheduling.administration import JobStatus

bp = APIBlueprint("scheduling", __name__, tag="Scheduler")


@bp.get("/api/admin/scheduler/status")
@access(ADMIN, owner=True)
@bp.output(SchedulerOut)
def status() -> dict[str, Any]:
    """Show every system job: its schedule, its last run, and when it runs next"""
    state = administration.status()
    return {
        "running": state.is_running,
        "tick_age": state.tick_age,
        "schedules": {"enabled": state.schedules, "overdue": state.overdue, "oldest_due_at": state.oldest_due_at},
        "jobs": [_shown(job) for job in state.jobs],
    }


@bp.get("/api/admin/scheduler/jobs/<job_id>/history")
@access(ADMIN, owner=True)
@bp.input(PageQuery, location="query")
@bp.output(JobRuns)
def history(job_id: str, query_data: PageQuery) -> dict[str, Any]:
    """List a job's runs, the newest first"""
    runs, following = administration.history(job_id, cursor=query_data.cursor, limit=query_data.limit)
    return {"runs": runs, "next_cursor": following}


@bp.post("/api/admin/scheduler/jobs/<job_id>/pause")
@access(ADMIN, owner=True)
@bp.output(JobOut)
def pause(job_id: str) -> dict[str, Any]:
    """Keep a job from running by itself

    A run under way ends, and it can still be triggered.
    """
    return _shown(administration.pause(job_id, guards.attribution()))


@bp.post("/api/admin/scheduler/jobs/<job_id>/resume")
@access(ADMIN, owner=True)
@bp.output(JobOut)
def resume(job_id: str) -> dict[str, Any]:
    """Let a job run by itself again"""
    return _shown(administration.resume(job_id, guards.attribution()))


@bp.post("/scheduler/jobs/<job_id>/trigger", endpoint="trigger_short")
@access(ADMIN, scope=JOBS_TRIGGER, owner=True, any_body=True)
@bp.output(Triggered, status_code=202)
def trigger_short(job_id: str) -> dict[str, Any]:
    """Run a job now

    Once a minute for each job; earlier is 429.
    """
    return _trigger(job_id)


@bp.get("/scheduler/jobs/<job_id>/trigger", endpoint="trigger_short_by_get")
@access(ADMIN, scope=JOBS_TRIGGER, owner=True, any_body=True)
@bp.output(Triggered, status_code=202)
def trigger_short_by_get(job_id: str) -> dict[str, Any]:
    """Run a job now, for callers that can only GET"""
    return _trigger(job_id)


@bp.post("/api/scheduler/jobs/<job_id>/trigger")
@access(ADMIN, scope=JOBS_TRIGGER, owner=True, any_body=True)
@bp.output(Triggered, status_code=202)
def trigger(job_id: str) -> dict[str, Any]:
    """Run a job now

    Once a minute for each job; earlier is 429.
    """
    return _trigger(job_id)


@bp.get("/api/scheduler/jobs/<job_id>/trigger")
@access(ADMIN, scope=JOBS_TRIGGER, owner=True, any_body=True)
@bp.output(Triggered, status_code=202)
def trigger_by_get(job_id: str) -> dict[str, Any]:
    """Run a job now, for callers that can only GET"""
    return _trigger(job_id)


def _trigger(job_id: str) -> dict[str, Any]:
    return {"job": job_id, "run": administration.trigger(job_id, guards.attribution())}


def _shown(status: JobStatus) -> dict[str, Any]:
    ended = status.last_ended
    return {
        "id": status.job.name,
        "lane": status.job.lane,
        "schedule": status.job.timing,
        "state": status.state,
        "paused": status.paused_at is not None,
        "paused_at": status.paused_at,
        "paused_by": status.paused_by,
        "last_run": status.last_run,
        "last_result": None if ended is None else ended.state,
        "next_run_at": status.next_run_at,
    }
