"""Accounts of persons: their position, health, peers, look-ups and logins; our own id of a send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_first_connections",
        sa.Column("quota_key", sa.LargeBinary(), nullable=False),
        sa.Column("first_connected_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("quota_key", name=op.f("pk_account_first_connections")),
    )
    op.create_table(
        "account_logins",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("phone_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=True),
        sa.Column("settings_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=True),
        sa.Column("session_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("phone_code_hash_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("secret_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("command_number", sa.BigInteger(), nullable=False),
        sa.Column("answered_number", sa.BigInteger(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("retry_after", sa.BigInteger(), nullable=True),
        sa.Column("qr_url_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("qr_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_account_logins_sender_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_account_logins_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_account_logins_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_logins")),
    )
    op.create_index("ix_account_logins_expires_at", "account_logins", ["expires_at"], unique=False)
    op.create_index(
        "ix_account_logins_open",
        "account_logins",
        ["id"],
        unique=False,
        postgresql_where=sa.text("answered_number < command_number"),
    )
    op.create_index("ix_account_logins_sender_id", "account_logins", ["sender_id"], unique=False)
    op.create_index("ix_account_logins_user_id", "account_logins", ["user_id", "id"], unique=False)
    op.create_table(
        "account_signals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column(
            "value", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_account_signals_sender_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_account_signals_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_signals")),
    )
    op.create_index("ix_account_signals_at", "account_signals", ["at"], unique=False)
    op.create_index("ix_account_signals_sender_id_at", "account_signals", ["sender_id", "at"], unique=False)
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_user_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "allowed_senders",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("phone_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=True),
        sa.Column("telegram_user_id_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("telegram_user_hash", sa.LargeBinary(), nullable=False),
        sa.Column("quota_key", sa.LargeBinary(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_premium", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("campaigns_paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("campaigns_pause_reason", sa.Text(), nullable=True),
        sa.Column("lookups_paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("strict_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("freeze_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("freeze_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("appeal_url", sa.Text(), nullable=True),
        sa.Column("service_notice", sa.Text(), nullable=True),
        sa.Column("service_notice_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("config_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pts", sa.BigInteger(), nullable=True),
        sa.Column("qts", sa.BigInteger(), nullable=True),
        sa.Column("date", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("caught_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_accounts_sender_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "owner_user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_accounts_workspace_id_owner_user_id"),
            ondelete="SET NULL (owner_user_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_accounts_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("sender_id", name=op.f("uq_accounts_sender_id")),
    )
    op.create_index("ix_accounts_owner_user_id", "accounts", ["owner_user_id"], unique=False)
    op.create_index("ix_accounts_quota_key", "accounts", ["quota_key"], unique=False)
    op.create_index(
        "uq_accounts_telegram_user",
        "accounts",
        ["workspace_id", "telegram_user_hash"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "account_peers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("identity_id", sa.BigInteger(), nullable=False),
        sa.Column("access_hash_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("found_by", sa.Text(), nullable=False),
        sa.Column("requirement", sa.Text(), nullable=False),
        sa.Column("stars", sa.BigInteger(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_account_peers_sender_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "identity_id"],
            ["identities.workspace_id", "identities.id"],
            name=op.f("fk_account_peers_workspace_id_identity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_account_peers_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_peers")),
        sa.UniqueConstraint("sender_id", "identity_id", name=op.f("uq_account_peers_sender_id_identity_id")),
    )
    op.create_index("ix_account_peers_identity_id", "account_peers", ["identity_id"], unique=False)
    op.create_table(
        "account_lookups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_point_id", sa.BigInteger(), nullable=False),
        sa.Column("add_to_contacts", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("identity_id", sa.BigInteger(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_account_lookups_sender_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "contact_point_id"],
            ["contact_points.workspace_id", "contact_points.id"],
            name=op.f("fk_account_lookups_workspace_id_contact_point_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "identity_id"],
            ["identities.workspace_id", "identities.id"],
            name=op.f("fk_account_lookups_workspace_id_identity_id"),
            ondelete="SET NULL (identity_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_account_lookups_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_lookups")),
        sa.UniqueConstraint(
            "sender_id", "contact_point_id", name=op.f("uq_account_lookups_sender_id_contact_point_id")
        ),
    )
    op.create_index("ix_account_lookups_contact_point_id", "account_lookups", ["contact_point_id"], unique=False)
    op.create_index(
        "ix_account_lookups_due",
        "account_lookups",
        ["sender_id", "next_at", "id"],
        unique=False,
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_index("ix_account_lookups_identity_id", "account_lookups", ["identity_id"], unique=False)
    op.add_column("deliveries", sa.Column("client_ref", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("deliveries", "client_ref")
    op.drop_index("ix_account_lookups_identity_id", table_name="account_lookups")
    op.drop_index("ix_account_lookups_due", table_name="account_lookups", postgresql_where=sa.text("state <> 'done'"))
    op.drop_index("ix_account_lookups_contact_point_id", table_name="account_lookups")
    op.drop_table("account_lookups")
    op.drop_index("ix_account_peers_identity_id", table_name="account_peers")
    op.drop_table("account_peers")
    op.drop_index("uq_accounts_telegram_user", table_name="accounts", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_index("ix_accounts_quota_key", table_name="accounts")
    op.drop_index("ix_accounts_owner_user_id", table_name="accounts")
    op.drop_table("accounts")
    op.drop_index("ix_account_signals_sender_id_at", table_name="account_signals")
    op.drop_index("ix_account_signals_at", table_name="account_signals")
    op.drop_table("account_signals")
    op.drop_index("ix_account_logins_user_id", table_name="account_logins")
    op.drop_index("ix_account_logins_sender_id", table_name="account_logins")
    op.drop_index(
        "ix_account_logins_open",
        table_name="account_logins",
        postgresql_where=sa.text("answered_number < command_number"),
    )
    op.drop_index("ix_account_logins_expires_at", table_name="account_logins")
    op.drop_table("account_logins")
    op.drop_table("account_first_connections")
