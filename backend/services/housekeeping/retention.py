"""Retention: what is kept only for a while. Deletes in batches, so that it can be stopped and go on at any time."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import JobRun

_BATCH = 5_000

# Each rule ends at most a batch of rows older than its age and says how many.
RULES: tuple[tuple[str, timedelta, str], ...] = (
    (
        "raw webhook bodies",
        timedelta(days=30),
        "UPDATE webhook_events SET body_encrypted = NULL, state = CASE state WHEN 'new' THEN 'parked' ELSE state END"
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


def retain() -> int:
    """Applies every rule; returns how many rows were touched. Commits after each batch and records the run."""
    started = clock.now()
    total = 0
    with system_scope("retention is the instance's"):
        for _, age, statement in RULES:
            while True:
                touched = db.session.execute(text(statement), {"before": started - age, "most": _BATCH}).rowcount  # type: ignore[attr-defined]
                db.session.commit()
                total += touched
                if touched < _BATCH:
                    break
        db.session.add(
            JobRun(job="retention", state="succeeded", detail=str(total), started_at=started, finished_at=clock.now())
        )
        db.session.commit()
    return total
