"""Scheduled messages may be alerts, photos and documents; a file given as an address waits to be fetched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Whoever waits for the lock keeps all of scheduling waiting behind it: rather fail beside a long dump, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("scheduled_messages", sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_table(
        "scheduled_fetches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("fire_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_scheduled_fetches_workspace_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "fire_id"],
            ["schedule_fires.workspace_id", "schedule_fires.id"],
            name=op.f("fk_scheduled_fetches_workspace_id_fire_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_fetches")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_scheduled_fetches_workspace_id_id")),
        sa.UniqueConstraint("workspace_id", "fire_id", name=op.f("uq_scheduled_fetches_workspace_id_fire_id")),
    )
    op.create_index("ix_scheduled_fetches_due", "scheduled_fetches", ["due_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("scheduled_fetches")
    op.drop_column("scheduled_messages", "content")
