"""Alerts know when they began and ended by their source, have complete labels, and one of five severities."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What an open group was grouped by is a label of each of its items; the name of the alert was left out of them.
    op.execute(
        """
        UPDATE alert_items i
           SET labels = jsonb_build_object('alertname', a.labels -> 'alertname') || i.labels
          FROM alerts a
         WHERE a.id = i.alert_id AND a.workspace_id = i.workspace_id AND a.resolved_at IS NULL
           AND a.source IN ('alertmanager', 'grafana') AND a.labels ? 'alertname' AND NOT i.labels ? 'alertname'
        """
    )
    # Words of one's own for the severity are labels now.
    op.execute(
        """
        UPDATE alert_items
           SET labels = jsonb_build_object('severity', severity) || labels, severity = 'warning'
         WHERE severity NOT IN ('critical', 'error', 'warning', 'info', 'debug')
        """
    )
    op.execute(
        """
        UPDATE alerts SET severity = 'warning'
         WHERE severity NOT IN ('critical', 'error', 'warning', 'info', 'debug')
        """
    )
    # The tables are locked last, for a moment only.
    # Whoever waits for the lock keeps every alert waiting behind it: rather fail beside a long dump, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ("alerts", "alert_items"):
        for name in ("started_at", "ended_at"):
            op.add_column(table, sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for table in ("alerts", "alert_items"):
        for name in ("started_at", "ended_at"):
            op.drop_column(table, name)
