"""Counting a repetition: one statement, because a storm is thousands of them a minute.

It counts only where nothing else follows: the key fires, with the same labels and severity, in an open alert that would
make no sound now and whose messages are due to be brought up to date anyway. It waits for whoever holds the alert's
row, and reads the row as they left it; so no count comes after the edit that was to show it.

Where it counts nothing it may hold the row all the same, and the caller goes on to lock the group. Therefore it locks
the group first, like everybody.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from backend.core import clock, config
from backend.core.database import UtcDateTime, db, system_scope, workspace_id_in_scope
from backend.services.alerts.ingest.reports import Outcome, Report
from backend.services.alerts.state.locked_alert import GROUP_LOCKS

_COUNT: Final = text(
    """
    WITH known AS MATERIALIZED (
        SELECT o.id, o.group_key
          FROM alert_items i JOIN alerts o ON o.id = i.alert_id
         WHERE i.workspace_id = :workspace_id AND i.key = :key AND o.resolved_at IS NULL
         LIMIT 1
    ), grouped AS MATERIALIZED (
        SELECT k.id, pg_advisory_xact_lock(:locks, ('x' || encode(substr(k.group_key, 1, 4), 'hex'))::bit(32)::integer)
          FROM known k
    ), held AS MATERIALIZED (
        SELECT a.id, a.state, a.silenced_until, a.notify_at, a.level
          FROM alerts a
         WHERE a.workspace_id = :workspace_id AND a.resolved_at IS NULL AND a.edit_at IS NOT NULL
           AND a.id = (SELECT id FROM grouped)
           AND (a.notified_at > :since OR a.notify_at IS NOT NULL OR a.state <> 'firing' OR a.silenced_until > :now)
           FOR NO KEY UPDATE OF a
    )
    UPDATE alert_items i
       SET count = i.count + 1, last_seen_at = :now, title = :title, body = :body
      FROM held
     WHERE i.alert_id = held.id AND i.key = :key AND i.resolved_at IS NULL AND i.severity = :severity
       AND i.labels = :labels
    RETURNING held.id, i.count AS reports, held.state, held.silenced_until, held.notify_at, held.level
    """
).bindparams(
    bindparam("now", type_=UtcDateTime), bindparam("since", type_=UtcDateTime), bindparam("labels", type_=JSONB)
)


def count(report: Report) -> Outcome | None:
    """Counts one more of it in the workspace in scope; None where more than counting has to be done."""
    now = clock.now()
    values = {
        "workspace_id": workspace_id_in_scope(),
        "locks": GROUP_LOCKS,
        "key": report.key,
        "title": report.title,
        "body": report.body,
        "severity": report.severity,
        "labels": dict(report.labels),
        "now": now,
        "since": now - timedelta(seconds=config.get().telegram_alert_throttle_seconds),
    }
    with system_scope("the statement names the workspace in both of its tables"):
        row = db.session.execute(_COUNT, values).one_or_none()
    if row is None:
        return None
    if row.silenced_until is not None and row.silenced_until > now and row.state == "firing":
        decision, reason = "silenced", "silence"
    elif row.state != "firing":
        decision, reason = "counted", row.state
    elif row.notify_at is not None:
        decision, reason = "grouped", "waiting"
    else:
        decision, reason = "counted", "throttled"
    return Outcome(decision, reason, row.id, row.level, count=row.reports)
