"""Retention: what is kept only for a while.

A run is a row of the job history, written before anything is deleted. It goes on over as many calls as it needs, each
of a few seconds and in batches, so that it can be stopped at any time and holds up nothing else in its lane.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from backend.core import queue
from backend.core.database import db, system_scope
from backend.services.housekeeping import runs
from backend.services.housekeeping.locking import only_one

JOB = runs.SystemJob("retention", "background", timedelta(hours=1))
_SECONDS = 5.0
_BATCH = 5_000

# Each rule ends at most a batch of rows older than its age and says how many.
RULES: tuple[tuple[str, timedelta, str], ...] = (
    (
        "raw webhook bodies",
        timedelta(days=30),
        "UPDATE webhook_events SET body_encrypted = NULL, state = CASE state WHEN 'new' THEN 'parked' ELSE state END,"
        " error = CASE state WHEN 'new' THEN coalesce(error, 'too_old') ELSE error END"
        " WHERE id IN (SELECT id FROM webhook_events"
        " WHERE received_at < :before AND body_encrypted IS NOT NULL LIMIT :most)",
    ),
    (
        # Longer than the longest retry of a provider (Meta: 36 hours, Telegram: 24).
        "webhook duplicates' keys",
        timedelta(days=7),
        "DELETE FROM webhook_event_keys WHERE (sender_id, key) IN"
        " (SELECT sender_id, key FROM webhook_event_keys WHERE seen_at < :before LIMIT :most)",
    ),
    (
        "idempotency keys",
        timedelta(hours=24),
        "DELETE FROM idempotency_keys WHERE id IN"
        " (SELECT id FROM idempotency_keys WHERE created_at < :before LIMIT :most)",
    ),
    (
        "link tokens",
        timedelta(days=7),
        "DELETE FROM link_tokens WHERE id IN (SELECT id FROM link_tokens WHERE expires_at < :before LIMIT :most)",
    ),
    (
        "attempts",
        timedelta(days=90),
        "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE at < :before LIMIT :most)",
    ),
    (
        "job history",
        timedelta(days=90),
        "DELETE FROM job_runs WHERE id IN (SELECT id FROM job_runs WHERE started_at < :before LIMIT :most)",
    ),
    (
        "mails",
        timedelta(days=30),
        "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE created_at < :before LIMIT :most)",
    ),
    (
        "password resets",
        timedelta(days=7),
        "DELETE FROM password_resets WHERE id IN"
        " (SELECT id FROM password_resets WHERE expires_at < :before LIMIT :most)",
    ),
    (
        "ended sign-ins",
        timedelta(days=30),
        "DELETE FROM sign_ins WHERE id IN (SELECT id FROM sign_ins WHERE expires_at < :before LIMIT :most)",
    ),
)


def retain(seconds: float = _SECONDS) -> int:
    """Goes on with the run under way, or begins one when the last began an hour ago; returns the rows it touched.

    Works for about `seconds` and wakes itself for the rest. Does nothing while another process is at it. Commits after
    each batch. A rule that raises ends the run as failed, and the next is tried an hour later.
    """
    queue.clear_flag(JOB.lane)
    deadline = time.monotonic() + seconds
    with only_one(db.engine, JOB.name) as lock, system_scope("retention is the instance's"):
        if lock is None:
            return 0
        run = runs.resume_or_begin(JOB)
        if run is None:
            return 0
        touched, began = 0, run.started_at
        for name, age, statement in RULES:
            try:
                ended, finished = _apply(statement, began - age, deadline)
            except OperationalError:
                # The database went away: the run is still under way, and the tick wakes it again.
                db.session.rollback()
                raise
            except Exception as error:
                db.session.rollback()
                runs.fail(run, type(error).__name__, name)
                raise
            touched += ended
            if not finished:
                runs.progress(run, touched)
                queue.wake_now(JOB.lane)
                return touched
        runs.progress(run, touched)
        runs.succeed(run)
    return touched


def _apply(statement: str, before: datetime, deadline: float) -> tuple[int, bool]:
    """Applies one rule in batches, one at least; returns how many rows it ended and whether it is done."""
    total = 0
    while True:
        ended: int = db.session.execute(text(statement), {"before": before, "most": _BATCH}).rowcount  # type: ignore[attr-defined]
        db.session.commit()
        total += ended
        if ended < _BATCH:
            return total, True
        if time.monotonic() > deadline:
            return total, False
