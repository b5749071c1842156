"""The job that tells: one statement finds whose day is due, one counts their posts, and each is told once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.logging import get_logger
from backend.models import DailySummary, User
from backend.services import linking, notifications
from backend.services.auth.attribution import SYSTEM
from backend.services.daily_summaries.days import Due, due_days
from backend.services.notifications import settings

log = get_logger(__name__)

_BATCH: Final = 500

_ZONES: Final = text(
    "SELECT DISTINCT u.timezone FROM telegram_links l JOIN users u ON u.id = l.user_id"
    " WHERE l.sender_id = :bot AND u.disabled_at IS NULL"
)
# Linked before the moment at which the person wants to be told: who links in the evening is not told of the day before.
_DUE: Final = text(
    "SELECT u.id AS user_id, u.workspace_id, d.day, d.start_at, d.end_at,"
    "   CASE WHEN l.state <> 'active' THEN l.state WHEN l.paused_at IS NOT NULL THEN 'paused' END AS unreachable,"
    "   coalesce(s.daily_summary_when_empty, false) AS when_empty"
    " FROM unnest(CAST(:zones AS text[]), CAST(:days AS date[]), CAST(:untils AS text[]),"
    "   CAST(:begans AS timestamptz[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))"
    "   AS d(zone, day, until, began, start_at, end_at)"
    " JOIN users u ON u.timezone = d.zone AND u.disabled_at IS NULL"
    " JOIN telegram_links l ON l.user_id = u.id AND l.sender_id = :bot"
    " LEFT JOIN notification_settings s ON s.user_id = u.id"
    " WHERE coalesce(s.daily_summary_at, :default_at) <= d.until"
    "   AND l.linked_at <= d.began + CAST(coalesce(s.daily_summary_at, :default_at) AS interval)"
    "   AND NOT EXISTS (SELECT 1 FROM daily_summaries k WHERE k.user_id = u.id AND k.day = d.day)"
    " ORDER BY d.day, u.id LIMIT :most"
)
_COUNTS: Final = text(
    "SELECT d.user_id, d.day, p.platform, count(*) AS posts,"
    "   count(*) FILTER (WHERE p.state = 'published') AS successful,"
    "   count(*) FILTER (WHERE p.state = 'failed') AS failed,"
    "   coalesce(sum(coalesce(p.likes, 0) + coalesce(p.comments, 0)) FILTER (WHERE p.state = 'published'), 0)"
    "     AS engagement"
    " FROM unnest(CAST(:users AS bigint[]), CAST(:days AS date[]), CAST(:starts AS timestamptz[]),"
    "   CAST(:ends AS timestamptz[])) AS d(user_id, day, start_at, end_at)"
    " JOIN posts p ON p.user_id = d.user_id AND p.ended_at >= d.start_at AND p.ended_at < d.end_at"
    "   AND p.state IN ('published', 'failed', 'unknown')"
    " GROUP BY d.user_id, d.day, p.platform ORDER BY count(*) DESC, p.platform"
)


@dataclass
class _Day:
    """What a person did on a day."""

    total: int = 0
    successful: int = 0
    failed: int = 0
    engagement: int = 0
    platforms: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, row: Row[Any]) -> None:
        """Adds one platform's counts."""
        self.total += row.posts
        self.successful += row.successful
        self.failed += row.failed
        self.engagement += int(row.engagement)
        if row.successful:
            self.platforms[row.platform] = {"posts": row.successful, "engagement": int(row.engagement)}

    def data(self, day: date) -> dict[str, Any]:
        """The data of the notification."""
        return {
            "date": day.isoformat(),
            "total_posts": self.total,
            "successful_posts": self.successful,
            "failed_posts": self.failed,
            "total_engagement": self.engagement,
            "platforms": self.platforms,
        }


def send_due(seconds: float = 4.0) -> int:
    """Decides on every person's day that is due, for at most about `seconds`; returns how many were decided. Commits.

    Any number of processes may do so at once: of two that decide on the same day one finds it decided.
    """
    deadline = time.monotonic() + seconds
    decided = 0
    while True:
        with system_scope("people of all workspaces are told of their day here"):
            rows = _find()
            counts = _count(rows) if rows else {}
            db.session.rollback()
        for row in rows:
            with workspace_scope(row.workspace_id):
                decided += _try(row, counts.get((row.user_id, row.day)))
        if len(rows) < _BATCH or time.monotonic() > deadline:
            return decided


def _find() -> Sequence[Row[Any]]:
    """The next people whose day is due and not decided, the oldest days first."""
    bot = linking.default_bot()
    if bot is None:
        return []
    zones = db.session.execute(_ZONES, {"bot": bot.id}).scalars()
    days: list[Due] = due_days([(name, settings.zone_of(name)) for name in zones], clock.now())
    if not days:
        return []
    return db.session.execute(
        _DUE,
        {
            "bot": bot.id,
            "zones": [due.zone for due in days],
            "days": [due.day for due in days],
            "untils": [due.until for due in days],
            "begans": [due.began for due in days],
            "starts": [due.start for due in days],
            "ends": [due.end for due in days],
            "default_at": settings.DEFAULT_SUMMARY_AT,
            "most": _BATCH,
        },
    ).all()


def _count(rows: Sequence[Row[Any]]) -> dict[tuple[int, date], _Day]:
    days: dict[tuple[int, date], _Day] = defaultdict(_Day)
    subscribed = {
        "users": [row.user_id for row in rows],
        "days": [row.day for row in rows],
        "starts": [row.start_at for row in rows],
        "ends": [row.end_at for row in rows],
    }
    for row in db.session.execute(_COUNTS, subscribed):
        days[row.user_id, row.day].add(row)
    return days


def _try(row: Row[Any], counted: _Day | None) -> bool:
    try:
        return _decide(row, counted)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # One person's summary does not hold up the others'; it is tried again with the next run.
        db.session.rollback()
        log.exception("summary_defect", user_id=row.user_id, error=type(error).__name__)
        return False


def _decide(row: Row[Any], counted: _Day | None) -> bool:
    """Stores the decision and what is told in one transaction; False where somebody else was first."""
    outcome = row.unreachable or ("reported" if counted or row.when_empty else "no_posts")
    now: datetime = clock.now()
    mine = insert(DailySummary).values(
        workspace_id=row.workspace_id, user_id=row.user_id, day=row.day, outcome=outcome, created_at=now
    )
    # Waits for another process that is about to store it.
    inserted = db.session.execute(mine.on_conflict_do_nothing().returning(DailySummary.user_id)).first()
    if inserted is None:
        db.session.rollback()
        return False
    if outcome == "reported":
        user = db.session.get_one(User, row.user_id)
        event = notifications.report(SYSTEM, "daily_summary", user, (counted or _Day()).data(row.day))
        summary = db.session.get_one(DailySummary, (row.user_id, row.day))
        summary.event_id = event.id
    db.session.commit()
    return True
