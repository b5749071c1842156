"""What ran in the background and whether it still does."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId


class JobRun(HasId, Base):
    """One run of a background job, or one failure worth remembering; the job history of the console and API."""

    __tablename__ = "job_runs"

    workspace_id: Mapped[int | None]
    job: Mapped[str]
    state: Mapped[str]
    """`queued` (asked for by hand), `running`, `succeeded` or `failed`."""
    code: Mapped[str | None]
    detail: Mapped[str | None]
    subject: Mapped[str | None]
    """What it was about, as `table:id`."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    triggered_by: Mapped[str | None]
    """Who asked for the run by hand; None for one that was due."""

    __table_args__ = (
        Index("ix_job_runs_job", "job", "id"),
        Index("ix_job_runs_started_at", "started_at"),
        Index("ix_job_runs_open", "job", "id", postgresql_where=text("state IN ('queued', 'running')")),
    )


class SystemJobState(Base):
    """What people have said about a job of the instance. One that nobody touched has no row."""

    __tablename__ = "system_jobs"

    name: Mapped[str] = mapped_column(primary_key=True)
    paused_at: Mapped[datetime | None]
    paused_by: Mapped[str | None]
    triggered_at: Mapped[datetime | None]


class Heartbeat(Base):
    """When a periodic part of the product last completed, on the database's clock."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class WriteProbe(HasId, Base):
    """Rows that are written and taken back, to find out whether the database takes any; always empty."""

    __tablename__ = "write_probes"

    filler: Mapped[str]
