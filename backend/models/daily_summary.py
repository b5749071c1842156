"""Daily summaries: which person was told of which day."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Base, Tenant, within_workspace


class DailySummary(Tenant, Base):
    """A person's day, decided once: told (`reported`), or why not (`no_posts`, `paused`, `blocked`)."""

    __tablename__ = "daily_summaries"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    """The day that is told of, in the person's zone."""
    outcome: Mapped[str]
    event_id: Mapped[int | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        within_workspace("user_id", "users"),
        Index("ix_daily_summaries_created_at", "created_at"),
    )
