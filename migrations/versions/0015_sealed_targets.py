"""Chats of posts, rules and kept answers get encrypted columns; the audit trail refuses TRUNCATE; a table to try a write.

The code before this one goes on with the columns it knows; a job moves what stands there later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("posts", "target_encrypted"),
    ("automation_rules", "targets_encrypted"),
    ("idempotency_keys", "answer_encrypted"),
)


def upgrade() -> None:
    # Nobody is kept waiting behind us for these locks: rather fail beside a long transaction, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, column in _COLUMNS:
        op.add_column(table, sa.Column(column, sa.LargeBinary(), nullable=True))
    op.execute(
        "CREATE TRIGGER audit_entries_not_truncated BEFORE TRUNCATE ON audit_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.create_table(
        "write_probes",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("filler", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_probes")),
    )


def downgrade() -> None:
    op.drop_table("write_probes")
    op.execute("DROP TRIGGER audit_entries_not_truncated ON audit_entries")
    for table, column in reversed(_COLUMNS):
        op.drop_column(table, column)
