"""Outgoing webhooks, posts, automation rules, daily summaries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outgoing_webhooks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secret_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("previous_secret_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("disabled_code", sa.Text(), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rest_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("served_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_outgoing_webhooks_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_webhooks")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_outgoing_webhooks_workspace_id_id")),
    )
    op.create_table(
        "automation_rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("platforms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "targets", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column(
            "media", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_automation_rules_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_automation_rules_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_automation_rules")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_automation_rules_workspace_id_id")),
    )
    with op.batch_alter_table("automation_rules", schema=None) as batch_op:
        batch_op.create_index("ix_automation_rules_workspace_id", ["workspace_id", "id"], unique=False)

    op.create_table(
        "daily_summaries",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_daily_summaries_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_daily_summaries_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "day", name=op.f("pk_daily_summaries")),
    )
    with op.batch_alter_table("daily_summaries", schema=None) as batch_op:
        batch_op.create_index("ix_daily_summaries_created_at", ["created_at"], unique=False)

    op.create_table(
        "outgoing_deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("webhook_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('due', 'delivered', 'failed')", name=op.f("ck_outgoing_deliveries_state")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "webhook_id"],
            ["outgoing_webhooks.workspace_id", "outgoing_webhooks.id"],
            name=op.f("fk_outgoing_deliveries_workspace_id_webhook_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_outgoing_deliveries_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_deliveries")),
        sa.UniqueConstraint("webhook_id", "event_id", name=op.f("uq_outgoing_deliveries_webhook_id_event_id")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_outgoing_deliveries_workspace_id_id")),
    )
    with op.batch_alter_table("outgoing_deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outgoing_deliveries_due",
            ["webhook_id", "due_at", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'due'"),
        )
        batch_op.create_index("ix_outgoing_deliveries_ended_at", ["ended_at"], unique=False)
        batch_op.create_index("ix_outgoing_deliveries_event_id", ["workspace_id", "event_id"], unique=False)
        batch_op.create_index("ix_outgoing_deliveries_workspace_id", ["workspace_id", "id"], unique=False)

    op.create_table(
        "outgoing_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "delivery_id"],
            ["outgoing_deliveries.workspace_id", "outgoing_deliveries.id"],
            name=op.f("fk_outgoing_attempts_workspace_id_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_outgoing_attempts_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_attempts")),
    )
    with op.batch_alter_table("outgoing_attempts", schema=None) as batch_op:
        batch_op.create_index("ix_outgoing_attempts_delivery_id", ["delivery_id", "id"], unique=False)

    op.create_table(
        "rule_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=True),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("fire_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "rule_id"],
            ["automation_rules.workspace_id", "automation_rules.id"],
            name=op.f("fk_rule_runs_workspace_id_rule_id"),
            ondelete="SET NULL (rule_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_rule_runs_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_rule_runs_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_runs")),
        sa.UniqueConstraint("rule_id", "fire_at", name=op.f("uq_rule_runs_rule_id_fire_at")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_rule_runs_workspace_id_id")),
    )
    with op.batch_alter_table("rule_runs", schema=None) as batch_op:
        batch_op.create_index("ix_rule_runs_rule_id", ["rule_id", "id"], unique=False)

    op.create_table(
        "posts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("publisher", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column(
            "media", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column(
            "target", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "progress", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("post_url", sa.Text(), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("comments", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rule_run_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'scheduled', 'publishing', 'published', 'failed', 'unknown', 'canceled')",
            name=op.f("ck_posts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "message_id"],
            ["messages.workspace_id", "messages.id"],
            name=op.f("fk_posts_workspace_id_message_id"),
            ondelete="SET NULL (message_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "rule_run_id"],
            ["rule_runs.workspace_id", "rule_runs.id"],
            name=op.f("fk_posts_workspace_id_rule_run_id"),
            ondelete="SET NULL (rule_run_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_posts_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_posts_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_posts_workspace_id_id")),
    )
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_posts_due", ["due_at", "id"], unique=False, postgresql_where=sa.text("state = 'scheduled'")
        )
        batch_op.create_index(
            "ix_posts_message_id", ["message_id"], unique=False, postgresql_where=sa.text("message_id IS NOT NULL")
        )
        batch_op.create_index(
            "ix_posts_publishing", ["id"], unique=False, postgresql_where=sa.text("state = 'publishing'")
        )
        batch_op.create_index(
            "ix_posts_rule_run_id", ["rule_run_id"], unique=False, postgresql_where=sa.text("rule_run_id IS NOT NULL")
        )
        batch_op.create_index("ix_posts_user_id", ["user_id", "ended_at"], unique=False)
        batch_op.create_index("ix_posts_workspace_id", ["workspace_id", "id"], unique=False)

    op.create_table(
        "post_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "post_id"],
            ["posts.workspace_id", "posts.id"],
            name=op.f("fk_post_attempts_workspace_id_post_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_post_attempts_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_attempts")),
    )
    with op.batch_alter_table("post_attempts", schema=None) as batch_op:
        batch_op.create_index("ix_post_attempts_post_id", ["post_id", "id"], unique=False)
        batch_op.create_index(
            "uq_post_attempts_begun", ["post_id", "number"], unique=True, postgresql_where=sa.text("phase = 'begun'")
        )

    with op.batch_alter_table("notification_settings", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("daily_summary_when_empty", sa.Boolean(), server_default=sa.text("false"), nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("notification_settings", schema=None) as batch_op:
        batch_op.drop_column("daily_summary_when_empty")

    with op.batch_alter_table("post_attempts", schema=None) as batch_op:
        batch_op.drop_index("uq_post_attempts_begun", postgresql_where=sa.text("phase = 'begun'"))
        batch_op.drop_index("ix_post_attempts_post_id")

    op.drop_table("post_attempts")
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.drop_index("ix_posts_workspace_id")
        batch_op.drop_index("ix_posts_user_id")
        batch_op.drop_index("ix_posts_rule_run_id", postgresql_where=sa.text("rule_run_id IS NOT NULL"))
        batch_op.drop_index("ix_posts_publishing", postgresql_where=sa.text("state = 'publishing'"))
        batch_op.drop_index("ix_posts_message_id", postgresql_where=sa.text("message_id IS NOT NULL"))
        batch_op.drop_index("ix_posts_due", postgresql_where=sa.text("state = 'scheduled'"))

    op.drop_table("posts")
    with op.batch_alter_table("rule_runs", schema=None) as batch_op:
        batch_op.drop_index("ix_rule_runs_rule_id")

    op.drop_table("rule_runs")
    with op.batch_alter_table("outgoing_attempts", schema=None) as batch_op:
        batch_op.drop_index("ix_outgoing_attempts_delivery_id")

    op.drop_table("outgoing_attempts")
    with op.batch_alter_table("outgoing_deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_outgoing_deliveries_workspace_id")
        batch_op.drop_index("ix_outgoing_deliveries_event_id")
        batch_op.drop_index("ix_outgoing_deliveries_ended_at")
        batch_op.drop_index("ix_outgoing_deliveries_due", postgresql_where=sa.text("state = 'due'"))

    op.drop_table("outgoing_deliveries")
    with op.batch_alter_table("daily_summaries", schema=None) as batch_op:
        batch_op.drop_index("ix_daily_summaries_created_at")

    op.drop_table("daily_summaries")
    with op.batch_alter_table("automation_rules", schema=None) as batch_op:
        batch_op.drop_index("ix_automation_rules_workspace_id")

    op.drop_table("automation_rules")
    op.drop_table("outgoing_webhooks")
