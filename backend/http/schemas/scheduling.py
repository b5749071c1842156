"""The system jobs as the instance's owner sees them."""

from __future__ import annotations

from pydantic import Field

from backend.http.schemas.base import Instant, Output


class ScheduleOut(Output):
    """When a job is due."""

    kind: str = Field(examples=["interval"])
    cron: str | None
    interval_seconds: int | None
    timezone: str


class JobRunOut(Output):
    """One run of a job."""

    id: int
    state: str = Field(description="queued, running, succeeded or failed", examples=["succeeded"])
    code: str | None = Field(description="Why it failed")
    detail: str | None = Field(description="How many things it did")
    subject: str | None = Field(description="What it was at when it failed")
    triggered_by: str | None = Field(description="Who asked for it; null for one that was due", examples=["user:1"])
    started_at: Instant
    finished_at: Instant | None


class JobOut(Output):
    """A system job as it stands."""

    id: str = Field(examples=["retention"])
    lane: str = Field(examples=["background"])
    schedule: ScheduleOut
    state: str = Field(description="idle, queued, running or paused", examples=["idle"])
    paused: bool
    paused_at: Instant | None
    paused_by: str | None
    last_run: JobRunOut | None
    last_result: str | None = Field(description="The state of the last run that ended", examples=["succeeded"])
    next_run_at: Instant | None = Field(description="null while it is paused; past: about to run")


class SchedulesOut(Output):
    """What all workspaces have planned."""

    enabled: int
    overdue: int
    oldest_due_at: Instant | None


class SchedulerOut(Output):
    """Every job, and whether anything is there to run them."""

    running: bool = Field(description="Whether the tick completed within 15 seconds")
    tick_age: float | None = Field(description="Seconds since it did")
    schedules: SchedulesOut
    jobs: list[JobOut]


class JobRuns(Output):
    """A page of a job's runs, newest first."""

    runs: list[JobRunOut]
    next_cursor: str | None


class Triggered(Output):
    """A run that was asked for."""

    job: str = Field(examples=["retention"])
    run: JobRunOut
