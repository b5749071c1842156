"""Endpoints that are deployed Apps Scripts, endpoints of the environment, and the order of events.

The code before this one sends to every endpoint as to a webhook and leaves the columns alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody is kept waiting behind us for this lock: rather fail beside a long transaction, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("outgoing_webhooks", sa.Column("kind", sa.Text(), nullable=False, server_default="webhook"))
    op.add_column("outgoing_webhooks", sa.Column("environment_name", sa.Text(), nullable=True))
    op.add_column("outgoing_webhooks", sa.Column("secret_shown_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint("kind", "outgoing_webhooks", "kind IN ('webhook', 'sheets')")
    op.create_index(
        "uq_outgoing_webhooks_environment",
        "outgoing_webhooks",
        ["environment_name"],
        unique=True,
        postgresql_where=sa.text("environment_name IS NOT NULL"),
    )
    op.add_column("outgoing_attempts", sa.Column("detail", sa.Text(), nullable=True))
    op.execute("CREATE SEQUENCE outgoing_event_sequence")


def downgrade() -> None:
    op.execute("DROP SEQUENCE outgoing_event_sequence")
    op.drop_column("outgoing_attempts", "detail")
    op.drop_index("uq_outgoing_webhooks_environment", "outgoing_webhooks")
    op.drop_constraint("kind", "outgoing_webhooks")
    op.drop_column("outgoing_webhooks", "secret_shown_at")
    op.drop_column("outgoing_webhooks", "environment_name")
    op.drop_column("outgoing_webhooks", "kind")
