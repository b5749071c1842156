"""The files that something waits for, one row each.

`scheduled_fetches` stays for the code before this one; what it still waits for is taken over by a work.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_fetches",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_kind", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("sender_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_tries", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'stored', 'failed', 'canceled')", name=op.f("ck_file_fetches_state")),
        sa.CheckConstraint("source_kind IN ('url', 'provider')", name=op.f("ck_file_fetches_source_kind")),
        sa.CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name=op.f("ck_file_fetches_ended")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_file_fetches_workspace_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "file_id"],
            ["files.workspace_id", "files.id"],
            name=op.f("fk_file_fetches_workspace_id_file_id"),
            ondelete="SET NULL (file_id)",
        ),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_file_fetches_sender_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_fetches")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_file_fetches_workspace_id_id")),
    )
    live = sa.text("ended_at IS NULL")
    op.create_index("ix_file_fetches_due", "file_fetches", ["workspace_id", "due_at", "id"], postgresql_where=live)
    op.create_index(
        "uq_file_fetches_live",
        "file_fetches",
        ["workspace_id", "owner_kind", "owner_id", "slot"],
        unique=True,
        postgresql_where=live,
    )
    op.create_index(
        "ix_file_fetches_file",
        "file_fetches",
        ["workspace_id", "file_id"],
        postgresql_where=sa.text("file_id IS NOT NULL"),
    )
    op.create_index(
        "ix_file_fetches_sender", "file_fetches", ["sender_id"], postgresql_where=sa.text("sender_id IS NOT NULL")
    )
    op.create_index(
        "ix_file_fetches_ended", "file_fetches", ["ended_at"], postgresql_where=sa.text("ended_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("file_fetches")
