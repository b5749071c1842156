"""Campaigns: steps, recipients, their messages, preflights."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("purpose", sa.Text(), server_default="marketing", nullable=False),
        sa.Column(
            "audience", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("window", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("add_to_contacts", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("lawful_basis", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("launched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("launched_by", sa.Text(), nullable=True),
        sa.Column("preflight_id", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "accepted_objections",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "hours_keys", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_turn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'scheduled', 'running', 'paused', 'finished', 'canceled')",
            name=op.f("ck_campaigns_state"),
        ),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_campaigns_sender_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_campaigns_workspace_id_user_id"),
            ondelete="SET NULL (user_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_campaigns_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_campaigns_workspace_id_id")),
    )
    op.create_index(
        "ix_campaigns_next_turn_at",
        "campaigns",
        ["next_turn_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('scheduled', 'running')"),
    )
    op.create_index("ix_campaigns_sender_id", "campaigns", ["sender_id"], unique=False)
    op.create_index("ix_campaigns_user_id", "campaigns", ["user_id"], unique=False)
    op.create_index("ix_campaigns_workspace_id", "campaigns", ["workspace_id", "id"], unique=False)
    op.create_table(
        "campaign_preflights",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column(
            "report", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "campaign_id"],
            ["campaigns.workspace_id", "campaigns.id"],
            name=op.f("fk_campaign_preflights_workspace_id_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_campaign_preflights_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_preflights")),
    )
    op.create_index("ix_campaign_preflights_campaign_id", "campaign_preflights", ["campaign_id", "id"], unique=False)
    op.create_index("ix_campaign_preflights_expires_at", "campaign_preflights", ["expires_at"], unique=False)
    op.create_table(
        "campaign_steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("delay_days", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "variants", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "campaign_id"],
            ["campaigns.workspace_id", "campaigns.id"],
            name=op.f("fk_campaign_steps_workspace_id_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_campaign_steps_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_steps")),
        sa.UniqueConstraint("campaign_id", "position", name=op.f("uq_campaign_steps_campaign_id_position")),
    )
    op.create_table(
        "campaign_recipients",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("identity_id", sa.BigInteger(), nullable=True),
        sa.Column("contact_point_id", sa.BigInteger(), nullable=True),
        sa.Column("conversation_id", sa.BigInteger(), nullable=True),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("step", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("hours_key", sa.Text(), nullable=True),
        sa.Column("zones_guessed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("messages_sent", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asks_operator", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_at_exact", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "campaign_id"],
            ["campaigns.workspace_id", "campaigns.id"],
            name=op.f("fk_campaign_recipients_workspace_id_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "contact_id"],
            ["contacts.workspace_id", "contacts.id"],
            name=op.f("fk_campaign_recipients_workspace_id_contact_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "contact_point_id"],
            ["contact_points.workspace_id", "contact_points.id"],
            name=op.f("fk_campaign_recipients_workspace_id_contact_point_id"),
            ondelete="SET NULL (contact_point_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "conversation_id"],
            ["conversations.workspace_id", "conversations.id"],
            name=op.f("fk_campaign_recipients_workspace_id_conversation_id"),
            ondelete="SET NULL (conversation_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "identity_id"],
            ["identities.workspace_id", "identities.id"],
            name=op.f("fk_campaign_recipients_workspace_id_identity_id"),
            ondelete="SET NULL (identity_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_campaign_recipients_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_recipients")),
        sa.UniqueConstraint("campaign_id", "contact_id", name=op.f("uq_campaign_recipients_campaign_id_contact_id")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_campaign_recipients_workspace_id_id")),
    )
    op.create_index("ix_campaign_recipients_contact_id", "campaign_recipients", ["contact_id", "state"], unique=False)
    op.create_index(
        "ix_campaign_recipients_contact_point_id", "campaign_recipients", ["contact_point_id"], unique=False
    )
    op.create_index("ix_campaign_recipients_conversation_id", "campaign_recipients", ["conversation_id"], unique=False)
    op.create_index(
        "ix_campaign_recipients_due",
        "campaign_recipients",
        ["campaign_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL AND step > 1"),
    )
    op.create_index(
        "ix_campaign_recipients_first",
        "campaign_recipients",
        ["campaign_id", "hours_key", "place"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting' AND step = 1"),
    )
    op.create_index("ix_campaign_recipients_identity_id", "campaign_recipients", ["identity_id"], unique=False)
    op.create_index("ix_campaign_recipients_place", "campaign_recipients", ["campaign_id", "place"], unique=False)
    op.create_index(
        "ix_campaign_recipients_state", "campaign_recipients", ["campaign_id", "state", "place"], unique=False
    )
    op.create_index(
        "ix_campaign_recipients_unresolved",
        "campaign_recipients",
        ["campaign_id", "place"],
        unique=False,
        postgresql_where=sa.text("hours_key IS NULL AND ended_at IS NULL"),
    )
    op.create_index(
        "uq_campaign_recipients_identity",
        "campaign_recipients",
        ["campaign_id", "identity_id"],
        unique=True,
        postgresql_where=sa.text("identity_id IS NOT NULL AND state <> 'skipped'"),
    )
    op.create_table(
        "campaign_messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("recipient_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=True),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("step_version", sa.BigInteger(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("rendered_text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "campaign_id"],
            ["campaigns.workspace_id", "campaigns.id"],
            name=op.f("fk_campaign_messages_workspace_id_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "message_id"],
            ["messages.workspace_id", "messages.id"],
            name=op.f("fk_campaign_messages_workspace_id_message_id"),
            ondelete="SET NULL (message_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "recipient_id"],
            ["campaign_recipients.workspace_id", "campaign_recipients.id"],
            name=op.f("fk_campaign_messages_workspace_id_recipient_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_campaign_messages_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_messages")),
        sa.UniqueConstraint("recipient_id", "step", name=op.f("uq_campaign_messages_recipient_id_step")),
    )
    op.create_index("ix_campaign_messages_campaign_id", "campaign_messages", ["campaign_id", "sent_at"], unique=False)
    op.create_index("ix_campaign_messages_message_id", "campaign_messages", ["message_id"], unique=False)
    op.create_index(
        "ix_campaign_messages_sender_id_sent_at", "campaign_messages", ["sender_id", "sent_at"], unique=False
    )
    op.create_index(
        "ix_campaign_messages_sending",
        "campaign_messages",
        ["sender_id"],
        unique=False,
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index("ix_campaign_messages_workspace_id", "campaign_messages", ["workspace_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_campaign_messages_workspace_id", table_name="campaign_messages")
    op.drop_index(
        "ix_campaign_messages_sending", table_name="campaign_messages", postgresql_where=sa.text("state = 'sending'")
    )
    op.drop_index("ix_campaign_messages_sender_id_sent_at", table_name="campaign_messages")
    op.drop_index("ix_campaign_messages_message_id", table_name="campaign_messages")
    op.drop_index("ix_campaign_messages_campaign_id", table_name="campaign_messages")
    op.drop_table("campaign_messages")
    op.drop_index(
        "uq_campaign_recipients_identity",
        table_name="campaign_recipients",
        postgresql_where=sa.text("identity_id IS NOT NULL AND state <> 'skipped'"),
    )
    op.drop_index(
        "ix_campaign_recipients_unresolved",
        table_name="campaign_recipients",
        postgresql_where=sa.text("hours_key IS NULL AND ended_at IS NULL"),
    )
    op.drop_index("ix_campaign_recipients_state", table_name="campaign_recipients")
    op.drop_index("ix_campaign_recipients_place", table_name="campaign_recipients")
    op.drop_index("ix_campaign_recipients_identity_id", table_name="campaign_recipients")
    op.drop_index(
        "ix_campaign_recipients_first",
        table_name="campaign_recipients",
        postgresql_where=sa.text("state = 'waiting' AND step = 1"),
    )
    op.drop_index(
        "ix_campaign_recipients_due",
        table_name="campaign_recipients",
        postgresql_where=sa.text("ended_at IS NULL AND step > 1"),
    )
    op.drop_index("ix_campaign_recipients_conversation_id", table_name="campaign_recipients")
    op.drop_index("ix_campaign_recipients_contact_point_id", table_name="campaign_recipients")
    op.drop_index("ix_campaign_recipients_contact_id", table_name="campaign_recipients")
    op.drop_table("campaign_recipients")
    op.drop_table("campaign_steps")
    op.drop_index("ix_campaign_preflights_expires_at", table_name="campaign_preflights")
    op.drop_index("ix_campaign_preflights_campaign_id", table_name="campaign_preflights")
    op.drop_table("campaign_preflights")
    op.drop_index("ix_campaigns_workspace_id", table_name="campaigns")
    op.drop_index("ix_campaigns_user_id", table_name="campaigns")
    op.drop_index("ix_campaigns_sender_id", table_name="campaigns")
    op.drop_index(
        "ix_campaigns_next_turn_at",
        table_name="campaigns",
        postgresql_where=sa.text("state IN ('scheduled', 'running')"),
    )
    op.drop_table("campaigns")
