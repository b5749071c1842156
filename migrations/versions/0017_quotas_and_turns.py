"""Attempts know their kind and the account whose quota they use; deliveries can be read by workspace.

The code before this one goes on with the columns it knows: it leaves the new ones empty. The indexes are built while
the tables are in use.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody is kept waiting behind us for these locks: rather fail beside a long transaction, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("attempts", sa.Column("kind", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("quota_key", sa.LargeBinary(), nullable=True))
    op.add_column("deliveries", sa.Column("in_backlog", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.get_context().autocommit_block():
        # What a build that was broken off has left is not valid, and would be in the way.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_attempts_quota_key")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_deliveries_workspace")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_deliveries_backlog")
        op.create_index(
            "ix_attempts_quota_key",
            "attempts",
            ["quota_key", "at"],
            postgresql_where=sa.text("quota_key IS NOT NULL"),
            postgresql_concurrently=True,
        )
        op.create_index(
            "ix_deliveries_workspace",
            "deliveries",
            ["sender_id", "lane", "workspace_id", "in_backlog", "due_at", "id"],
            postgresql_where=sa.text("state = 'due'"),
            postgresql_concurrently=True,
        )
        op.create_index(
            "ix_deliveries_backlog",
            "deliveries",
            ["sender_id", "chat_key", "lane", "id"],
            postgresql_where=sa.text("state = 'due' AND in_backlog"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index("ix_deliveries_backlog", table_name="deliveries")
    op.drop_index("ix_deliveries_workspace", table_name="deliveries")
    op.drop_index("ix_attempts_quota_key", table_name="attempts")
    op.drop_column("deliveries", "in_backlog")
    op.drop_column("attempts", "quota_key")
    op.drop_column("attempts", "kind")
