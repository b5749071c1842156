"""The instance in figures: a handful of bounded queries, read together and kept for some seconds.

Counts stop at `MAX_COUNT`: beyond it the exact number helps nobody, and counting a long queue must not slow it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import clock, work
from backend.core.database import db, system_scope

MAX_COUNT: Final = 100_000
WINDOW: Final = timedelta(minutes=5)
JOBS_WINDOW: Final = timedelta(hours=1)
KEPT_SECONDS: Final = 5.0

LANES: Final = {0: "reply", 1: "notification", 2: "bulk"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries of one lane that wait for the same reason; the age, in seconds, is of the oldest that is due."""

    lane: str
    state: str
    reason: str
    count: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was read at `at` (business time). Ages are seconds."""

    at: float
    deliveries: tuple[Waiting, ...] = ()
    intake_waiting: int = 0
    intake_oldest: float = 0.0
    intake_parked: int = 0
    operations: dict[tuple[str, str], int] = field(default_factory=dict)
    """By operation and phase, in the last five minutes: `started` counts tries, the others how some came out."""
    failures: dict[str, int] = field(default_factory=dict)
    """By code, in the last five minutes."""
    leases: int = 0
    paused: int = 0
    senders: dict[str, int] = field(default_factory=dict)
    """By state: `active`, `disabled`, or the code by which the product has disabled them."""
    heartbeats: dict[str, float] = field(default_factory=dict)
    jobs: dict[tuple[str, str], int] = field(default_factory=dict)
    """By job and state, begun in the last hour."""
    works: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether a work has something to do, by work and queue."""
    mail_waiting: int = 0
    mail_oldest: float = 0.0

    @property
    def oldest(self) -> float:
        """The age of the oldest delivery that is due and has no reason here to wait."""
        return max((delivery.oldest for delivery in self.deliveries if delivery.reason == "queued"), default=0.0)


_DELIVERIES = """
    SELECT lane, state, reason, count(*) AS number,
           coalesce(extract(epoch FROM CAST(:now AS timestamptz) - min(due_at) FILTER (WHERE due_at <= :now)), 0) AS age
      FROM (SELECT lane, state, reason, due_at FROM deliveries LIMIT :most) d GROUP BY lane, state, reason
"""
_INTAKE = """
    SELECT count(*) AS number,
           coalesce(extract(epoch FROM CAST(:now AS timestamptz) - min(received_at)), 0) AS age,
           (SELECT count(*) FROM (SELECT 1 FROM webhook_events WHERE state = 'parked' LIMIT :most) p) AS parked
      FROM (SELECT received_at FROM webhook_events WHERE state = 'new' ORDER BY id LIMIT :most) w
"""
_ATTEMPTS = """
    SELECT operation, phase, code, count(*) AS number
      FROM (SELECT operation, phase, code FROM attempts WHERE at > :since LIMIT :most) a GROUP BY operation, phase, code
"""
_LEASES = """
    SELECT count(*) FILTER (WHERE until > clock_timestamp()) AS held,
           count(*) FILTER (WHERE paused_until > :now) AS paused FROM sender_leases
"""
_SENDERS = """
    SELECT CASE WHEN is_active THEN 'active' ELSE coalesce(disabled_code, 'disabled') END AS standing,
           count(*) AS number
      FROM senders GROUP BY 1
"""
_BEATS = "SELECT name, extract(epoch FROM clock_timestamp() - at) AS age FROM heartbeats"
_JOBS = """
    SELECT job, state, count(*) AS number
      FROM (SELECT job, state FROM job_runs WHERE started_at > :jobs_since LIMIT :most) j GROUP BY job, state
"""
_MAIL = """
    SELECT count(*) AS number, coalesce(extract(epoch FROM CAST(:now AS timestamptz) - min(created_at)), 0) AS age
      FROM (SELECT created_at FROM mails WHERE state = 'waiting' LIMIT :most) m
"""

_lock = threading.Lock()
_kept: tuple[float, Figures] | None = None


def gather() -> Figures | None:
    """The figures, at most some seconds old; None while the database is away."""
    global _kept
    with _lock:
        if _kept is not None and time.monotonic() - _kept[0] < KEPT_SECONDS:
            return _kept[1]
        try:
            figures = _read()
        except (OperationalError, InterfaceError, PoolTimeout):
            db.session.rollback()
            return None
        _kept = (time.monotonic(), figures)
        return figures


def forget() -> None:
    """Has the next `gather` read again."""
    global _kept
    _kept = None


def _read() -> Figures:
    now = clock.now()
    values = {"now": now, "since": now - WINDOW, "jobs_since": now - JOBS_WINDOW, "most": MAX_COUNT}

    def rows(statement: str) -> list[Any]:
        return list(db.session.execute(text(statement), values))

    works = {(kind_of_work.name, kind_of_work.queue): kind_of_work.is_due() for kind_of_work in work.registered()}
    with system_scope("figures are the instance's, and name nobody"):
        # A look must not wait for long behind whatever keeps the database busy.
        db.session.execute(text("SET LOCAL statement_timeout = '5s'"))
        deliveries = tuple(
            Waiting(LANES.get(row.lane, str(row.lane)), row.state, row.reason, row.number, max(0.0, float(row.age)))
            for row in rows(_DELIVERIES)
        )
        [intake] = rows(_INTAKE)
        operations: dict[tuple[str, str], int] = {}
        failures: dict[str, int] = {}
        for row in rows(_ATTEMPTS):
            operations[row.operation, row.phase] = operations.get((row.operation, row.phase), 0) + row.number
            if row.code:
                failures[row.code] = failures.get(row.code, 0) + row.number
        [leases] = rows(_LEASES)
        [mail] = rows(_MAIL)
        figures = Figures(
            at=now.timestamp(),
            deliveries=deliveries,
            intake_waiting=intake.number,
            intake_oldest=max(0.0, float(intake.age)),
            intake_parked=intake.parked,
            operations=operations,
            failures=failures,
            leases=leases.held,
            paused=leases.paused,
            senders={row.standing: row.number for row in rows(_SENDERS)},
            heartbeats={row.name: float(row.age) for row in rows(_BEATS)},
            jobs={(row.job, row.state): row.number for row in rows(_JOBS)},
            works=works,
            mail_waiting=mail.number,
            mail_oldest=max(0.0, float(mail.age)),
        )
        db.session.rollback()
    return figures
