"""The inbox at work: what follows a person's message, who takes conversations, what can be undone, indexes of search.

Conversations get columns that are empty or constant; their indexes are made while others write. That part may be done
again from its beginning, so it comes first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_COLUMNS = (
    "followed_message_id bigint",
    "sla_kind text",
    "sla_since timestamptz",
    "sla_due_at timestamptz",
    "sla_alerted_at timestamptz",
    "away_told_at timestamptz",
    "assignment_due boolean DEFAULT false NOT NULL",
    "words_due boolean DEFAULT true NOT NULL",
)
_WAITS = "in_inbox AND waiting_since IS NOT NULL"
_INDEXES = (
    ("ix_conversations_channel", "conversations (workspace_id, channel, last_activity_at, id) WHERE in_inbox"),
    (
        "ix_conversations_unread",
        "conversations (workspace_id, last_activity_at, id) WHERE in_inbox AND unread_count > 0",
    ),
    (
        "ix_conversations_not_followed",
        "conversations (id) WHERE in_inbox AND last_inbound_message_id IS DISTINCT FROM followed_message_id",
    ),
    (
        "ix_conversations_sla_due_at",
        f"conversations (sla_due_at) WHERE {_WAITS} AND sla_due_at IS NOT NULL AND sla_alerted_at IS NULL",
    ),
    ("ix_conversations_sla_alerted", "conversations (workspace_id, id) WHERE sla_alerted_at IS NOT NULL"),
    ("ix_conversations_assignment_due", "conversations (waiting_since, id) WHERE assignment_due"),
    ("ix_conversations_words_due", "conversations (id) WHERE in_inbox AND words_due"),
    ("ix_conversations_name_pairs", "conversations USING gin (name_pairs(title, NULL, NULL)) WHERE in_inbox"),
    ("ix_contacts_name_pairs", "contacts USING gin (name_pairs(first_name, last_name, company))"),
    ("ix_message_words_at", "message_words (workspace_id, at, message_id)"),
)
# All letters that stand beside each other in the names, in lower case: "Ada Lee" has "ad", "da", "a ", " l", "le", "ee";
# and those of family name and given name as one word.
_NAME_PAIRS = """
CREATE OR REPLACE FUNCTION name_pairs(a text, b text, c text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT substr(n.name, i, 2)), '{}')
      FROM (SELECT lower(concat(a, ' ' || b, ' ' || c, ' ' || b || a)) AS name) n, generate_series(1, length(n.name) - 1) AS i
$$
"""


def upgrade() -> None:
    op.execute(_NAME_PAIRS)
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE conversations " + ", ".join(f"ADD COLUMN IF NOT EXISTS {it}" for it in _COLUMNS))
        op.execute("SET lock_timeout = 0")
        for name, place in _INDEXES:
            # What a build that was broken off has left is not valid, and would be in the way.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {place}")
        op.execute("RESET lock_timeout")
    op.create_table(
        "inbox_availability",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_inbox_availability_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_inbox_availability_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_inbox_availability")),
    )
    op.create_table(
        "undo_steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_undo_steps_workspace_id_user_id"),
            ondelete="SET NULL (user_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_undo_steps_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_undo_steps")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_undo_steps_workspace_id_id")),
    )
    op.create_index("ix_undo_steps_until", "undo_steps", ["until"], unique=False)
    op.create_index("ix_undo_steps_user_id", "undo_steps", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_table("undo_steps")
    op.drop_table("inbox_availability")
    for name, _ in reversed(_INDEXES):
        op.execute(f"DROP INDEX {name}")
    op.execute("ALTER TABLE conversations " + ", ".join(f"DROP COLUMN {it.split()[0]}" for it in _COLUMNS))
    op.execute("DROP FUNCTION name_pairs(text, text, text)")
