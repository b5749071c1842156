"""Bots of the database: their chats, names that are unique in any case, tokens that are borrowed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("senders", schema=None) as batch_op:
        # With a default, because the version before inserts rows without it.
        batch_op.add_column(sa.Column("name_folded", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("chat_ids_encrypted", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("chat_type", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("message_thread_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    # Two rows of one workspace that differ by nothing but case get their id added: the index below allows one.
    op.execute(
        """
        UPDATE senders s
           SET name_folded = lower(btrim(s.name)) || CASE WHEN EXISTS (
                 SELECT 1 FROM senders o
                  WHERE o.workspace_id = s.workspace_id AND o.channel = s.channel AND o.id < s.id
                    AND o.source = 'database' AND lower(btrim(o.name)) = lower(btrim(s.name))
               ) THEN ' ' || s.id ELSE '' END
        """
    )
    with op.batch_alter_table("senders", schema=None) as batch_op:
        batch_op.create_index("ix_senders_credentials_hash", ["credentials_hash"], unique=False)
        batch_op.create_index(
            "uq_senders_borrowed",
            ["workspace_id", "credentials_hash"],
            unique=True,
            postgresql_where=sa.text("source IN ('configs', 'arguments')"),
        )
        batch_op.create_index(
            "uq_senders_name",
            ["workspace_id", "channel", "name_folded"],
            unique=True,
            postgresql_where=sa.text("source = 'database' AND deleted_at IS NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("senders", schema=None) as batch_op:
        batch_op.drop_index("uq_senders_name")
        batch_op.drop_index("uq_senders_borrowed")
        batch_op.drop_index("ix_senders_credentials_hash")
        for name in ("deleted_at", "message_thread_id", "chat_type", "chat_ids_encrypted", "name_folded"):
            batch_op.drop_column(name)
