"""Schedules: when something of a workspace is to happen, and each time that it did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, HasId, Tenant, within_workspace


class Schedule(HasId, Tenant, Base):
    """When a registered `job` fires for its subject (a row of the job's own table); one for each subject.

    `run_at` is the moment of a `once`, and where an `interval` is counted from. `next_fire_at` is None for what is
    switched off or over.
    """

    __tablename__ = "schedules"

    job: Mapped[str]
    subject_id: Mapped[int]
    kind: Mapped[str]
    """`cron`, `interval` or `once`."""
    cron: Mapped[str | None]
    interval_seconds: Mapped[int | None]
    run_at: Mapped[datetime | None]
    timezone: Mapped[str] = mapped_column(default="UTC", server_default="UTC")
    enabled: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    next_fire_at: Mapped[datetime | None]
    last_fire_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        CheckConstraint("kind IN ('cron', 'interval', 'once')", name="kind"),
        Index("ix_schedules_due", "next_fire_at", "id", postgresql_where=text("enabled AND next_fire_at IS NOT NULL")),
        UniqueConstraint("workspace_id", "job", "subject_id"),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class ScheduleFire(HasId, Tenant, Base):
    """One time that a schedule fired. (schedule, fire time) is unique: that is what makes it fire once.

    `waiting` until its work is carried out, then `done` or `failed` with a `code`; `skipped` when it was too late.
    """

    __tablename__ = "schedule_fires"

    schedule_id: Mapped[int]
    fire_at: Mapped[datetime]
    missed_since: Mapped[datetime | None]
    """The first of the moments that nobody was there for and that this fire makes up for; None when it was in time."""
    state: Mapped[str]
    code: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    """What came of it, as ids."""
    triggered_by: Mapped[str | None]
    """Who asked for it by hand; None for one that its schedule made."""
    fired_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        UniqueConstraint("schedule_id", "fire_at"),
        within_workspace("schedule_id", "schedules"),
        Index("ix_schedule_fires_history", "workspace_id", "schedule_id", "id"),
        Index("ix_schedule_fires_waiting", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_schedule_fires_fired_at", "fired_at"),
    )
