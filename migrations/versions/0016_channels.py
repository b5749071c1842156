"""Items of webhooks with their recipients, receipts by the provider's id alone, encrypted settings of senders.

What is added may be empty, so that the code before this one goes on. The parts it wrote stay without a box: they are
Telegram's, whose events name the chat.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("senders", "settings_encrypted", sa.LargeBinary()),
    ("webhook_events", "recipient_id", sa.Text()),
    ("message_parts", "box", sa.Text()),
    ("message_parts", "state", sa.Text()),
    ("message_parts", "state_at", sa.DateTime(timezone=True)),
    ("message_parts", "facts", postgresql.JSONB()),
)


def upgrade() -> None:
    # Nobody is kept waiting behind us for these locks: rather fail beside a long transaction, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, column, kind in _COLUMNS:
        # What was committed before an index could not be built is there at the second attempt.
        definition = kind.compile(dialect=postgresql.dialect())
        op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} {definition}")
    op.create_table(
        "unknown_recipients",
        sa.Column("sender_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recipient_id", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_unknown_recipients_sender_id_senders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sender_id", "recipient_id", name=op.f("pk_unknown_recipients")),
        if_not_exists=True,
    )
    op.create_table(
        "pending_receipts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("payload_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_pending_receipts_sender_id_senders"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_receipts")),
        if_not_exists=True,
    )
    op.create_index("ix_pending_receipts_due_at", "pending_receipts", ["due_at"], if_not_exists=True)
    op.create_index("ix_pending_receipts_sender_id", "pending_receipts", ["sender_id"], if_not_exists=True)
    # Tables that may be large are written to meanwhile. One that could not be finished is made anew.
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_message_parts_box")
        op.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY uq_message_parts_box"
            " ON message_parts (sender_id, box, external_id, workspace_id) WHERE box IS NOT NULL"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_webhook_events_waiting")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_webhook_events_waiting ON webhook_events (due_at) WHERE state = 'waiting'"
        )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_webhook_events_waiting", table_name="webhook_events")
    op.drop_index("uq_message_parts_box", table_name="message_parts")
    op.drop_table("pending_receipts")
    op.drop_table("unknown_recipients")
    for table, column, _ in reversed(_COLUMNS):
        op.drop_column(table, column)
