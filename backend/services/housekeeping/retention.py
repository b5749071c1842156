"""Retention: what is kept only for a while.

A run is a row of the job history, written before anything is deleted. It goes on over as many calls as it needs, each
of a few seconds and in batches, so that it can be stopped at any time and holds up nothing else in its lane.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text

from backend.core.database import db
from backend.core.work import Turn
from backend.services.scheduling import JobTurn, SystemJob, Timing, register_system_job, system_jobs

_BATCH = 5_000

# Each rule ends at most a batch of rows older than its age and says how many.
RULES: tuple[tuple[str, timedelta, str], ...] = (
    (
        "processed webhook events",
        timedelta(days=30),
        "DELETE FROM webhook_events WHERE id IN (SELECT id FROM webhook_events"
        " WHERE received_at < :before AND body_encrypted IS NOT NULL AND state IN ('done', 'ignored') LIMIT :most)",
    ),
    (
        # What could not be processed stays for a person to see, without its body.
        "raw webhook bodies",
        timedelta(days=30),
        "UPDATE webhook_events SET body_encrypted = NULL,"
        " state = CASE WHEN state IN ('new', 'waiting') THEN 'parked' ELSE state END,"
        " error = CASE WHEN state IN ('new', 'waiting') THEN coalesce(error, 'too_old') ELSE error END"
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
        "changes that can be taken back no more",
        timedelta(hours=24),
        "DELETE FROM undo_steps WHERE id IN (SELECT id FROM undo_steps WHERE until < :before LIMIT :most)",
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
        "resolved alerts",
        timedelta(days=90),
        "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE resolved_at < :before LIMIT :most)",
    ),
    (
        # A fire's key is needed no longer: its schedule has gone on to later ones.
        "fires of schedules",
        timedelta(days=90),
        "DELETE FROM schedule_fires WHERE id IN"
        " (SELECT id FROM schedule_fires WHERE fired_at < :before AND state <> 'waiting' LIMIT :most)",
    ),
    (
        "outgoing webhooks' log",
        timedelta(days=30),
        "DELETE FROM outgoing_deliveries WHERE id IN"
        " (SELECT id FROM outgoing_deliveries WHERE ended_at < :before LIMIT :most)",
    ),
    (
        # Longer than a summary that was missed may be late.
        "decided daily summaries",
        timedelta(days=90),
        "DELETE FROM daily_summaries WHERE (user_id, day) IN"
        " (SELECT user_id, day FROM daily_summaries WHERE created_at < :before LIMIT :most)",
    ),
    (
        # A day longer than an import can be undone.
        "changes by imports of contacts",
        timedelta(days=31),
        "DELETE FROM contact_import_changes WHERE id IN"
        " (SELECT id FROM contact_import_changes WHERE created_at < :before LIMIT :most)",
    ),
    (
        "preflights of campaigns",
        timedelta(days=7),
        "DELETE FROM campaign_preflights WHERE id IN"
        " (SELECT id FROM campaign_preflights WHERE expires_at < :before LIMIT :most)",
    ),
    (
        # The mapping stays: it is remembered for the next file with these columns.
        "what imports of contacts show of people",
        timedelta(days=31),
        "UPDATE contact_imports SET columns_encrypted = NULL, report_encrypted = NULL WHERE id IN"
        " (SELECT id FROM contact_imports WHERE coalesce(run_at, created_at) < :before AND task IS NULL"
        " AND (columns_encrypted IS NOT NULL OR report_encrypted IS NOT NULL) LIMIT :most)",
    ),
    (
        "ended fetches of files",
        timedelta(days=7),
        "DELETE FROM file_fetches WHERE id IN (SELECT id FROM file_fetches WHERE ended_at < :before LIMIT :most)",
    ),
    (
        # The page that says how a request stands is there as long.
        "people's requests by Meta",
        timedelta(days=730),
        "DELETE FROM meta_requests WHERE id IN (SELECT id FROM meta_requests WHERE created_at < :before LIMIT :most)",
    ),
    (
        "password resets",
        timedelta(days=7),
        "DELETE FROM password_resets WHERE id IN"
        " (SELECT id FROM password_resets WHERE expires_at < :before LIMIT :most)",
    ),
    (
        # Each is tried for a day and then deleted; this is for those of senders that were never served again.
        "receipts without a message",
        timedelta(days=7),
        "DELETE FROM pending_receipts WHERE id IN"
        " (SELECT id FROM pending_receipts WHERE created_at < :before LIMIT :most)",
    ),
    (
        "recipients that nobody owns",
        timedelta(days=90),
        "DELETE FROM unknown_recipients WHERE (sender_id, recipient_id) IN"
        " (SELECT sender_id, recipient_id FROM unknown_recipients WHERE last_at < :before LIMIT :most)",
    ),
    (
        "signals of accounts",
        timedelta(days=90),
        "DELETE FROM account_signals WHERE id IN (SELECT id FROM account_signals WHERE at < :before LIMIT :most)",
    ),
    (
        # Long after the code that the person was sent has become worthless.
        "logins of accounts",
        timedelta(hours=24),
        "DELETE FROM account_logins WHERE id IN (SELECT id FROM account_logins WHERE expires_at < :before LIMIT :most)",
    ),
    (
        "ended sign-ins",
        timedelta(days=30),
        "DELETE FROM sign_ins WHERE id IN (SELECT id FROM sign_ins WHERE expires_at < :before LIMIT :most)",
    ),
)


def retain(turn: Turn) -> int:
    """Gives retention a turn, if it is due or under way; returns how many rows it touched."""
    return system_jobs.give_turn(JOB, turn)


def _apply_rules(turn: JobTurn) -> int:
    """Goes through the rules until the turn is over. Commits after each batch."""
    touched = 0
    for name, age, statement in RULES:
        turn.at = name
        ended, finished = _apply(statement, turn.began - age, turn)
        touched += ended
        if not finished:
            turn.go_on_later()
            break
    return touched


def _apply(statement: str, before: datetime, turn: JobTurn) -> tuple[int, bool]:
    """Applies one rule in batches, one at least; returns how many rows it ended and whether it is done."""
    total = 0
    while True:
        ended: int = db.session.execute(text(statement), {"before": before, "most": _BATCH}).rowcount  # type: ignore[attr-defined]
        db.session.commit()
        total += ended
        if ended < _BATCH:
            return total, True
        if turn.is_over():
            return total, False


JOB = register_system_job(SystemJob("retention", "background", Timing("interval", interval_seconds=3600), _apply_rules))
