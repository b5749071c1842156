"""How senders at Meta are set up: what checks found, message templates, people's requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "channel_setups",
        sa.Column("sender_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("results", _JSON, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("alerting", _JSON, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("account", _JSON, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_user_hash", sa.LargeBinary(), nullable=True),
        sa.Column("renew_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renew_failures", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("renew_error", sa.Text(), nullable=True),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("templates_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_channel_setups_sender_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sender_id", name=op.f("pk_channel_setups")),
    )
    op.create_index("ix_channel_setups_check_at", "channel_setups", ["check_at"], unique=False)
    for name in ("renew_at", "token_user_hash"):
        op.create_index(
            f"ix_channel_setups_{name}",
            "channel_setups",
            [name],
            unique=False,
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )
    op.create_table(
        "message_templates",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("quality", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("components", _JSON, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_message_templates_sender_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_message_templates_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_templates")),
        sa.UniqueConstraint(
            "workspace_id",
            "sender_id",
            "name",
            "language",
            name=op.f("uq_message_templates_workspace_id_sender_id_name_language"),
        ),
    )
    op.create_index("ix_message_templates_external_id", "message_templates", ["sender_id", "external_id"], unique=False)
    op.create_table(
        "meta_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("user_hash", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meta_requests")),
        sa.UniqueConstraint("code", name=op.f("uq_meta_requests_code")),
        sa.UniqueConstraint("kind", "user_hash", "issued_at", name=op.f("uq_meta_requests_kind_user_hash_issued_at")),
    )
    op.create_index("ix_meta_requests_created_at", "meta_requests", ["created_at"], unique=False)


def downgrade() -> None:
    for table in ("meta_requests", "message_templates", "channel_setups"):
        op.drop_table(table)
