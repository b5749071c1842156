"""Imports of contacts, and what undoing one needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact_imports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claim", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("file_key", sa.Text(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("encoding", sa.Text(), nullable=True),
        sa.Column("delimiter", sa.Text(), nullable=True),
        sa.Column("header_row", sa.BigInteger(), nullable=True),
        sa.Column("header_hash", sa.LargeBinary(), nullable=True),
        sa.Column("columns_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column(
            "mapping", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("mode", sa.Text(), server_default="both", nullable=False),
        sa.Column(
            "update_by",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text('\'["phone", "email", "telegram_username"]\'::jsonb'),
            nullable=False,
        ),
        sa.Column("overwrite", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "tags", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("rows_total", sa.BigInteger(), nullable=True),
        sa.Column("rows_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("report_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undo_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "file_id"],
            ["files.workspace_id", "files.id"],
            name=op.f("fk_contact_imports_workspace_id_file_id"),
            ondelete="SET NULL (file_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_contact_imports_workspace_id_user_id"),
            ondelete="SET NULL (user_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_contact_imports_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_imports")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_contact_imports_workspace_id_id")),
    )
    op.create_index("ix_contact_imports_created_at", "contact_imports", ["created_at"], unique=False)
    op.create_index(
        "ix_contact_imports_due",
        "contact_imports",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("task IS NOT NULL"),
    )
    op.create_index(
        "ix_contact_imports_header_hash", "contact_imports", ["workspace_id", "header_hash", "id"], unique=False
    )
    op.create_index("ix_contact_imports_workspace_id", "contact_imports", ["workspace_id", "id"], unique=False)
    op.create_table(
        "contact_import_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Boolean(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "point_ids", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column(
            "primaries", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "tag_ids", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "contact_id"],
            ["contacts.workspace_id", "contacts.id"],
            name=op.f("fk_contact_import_changes_workspace_id_contact_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "import_id"],
            ["contact_imports.workspace_id", "contact_imports.id"],
            name=op.f("fk_contact_import_changes_workspace_id_import_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_contact_import_changes_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_import_changes")),
    )
    op.create_index("ix_contact_import_changes_contact_id", "contact_import_changes", ["contact_id"], unique=False)
    op.create_index("ix_contact_import_changes_created_at", "contact_import_changes", ["created_at"], unique=False)
    op.create_index("ix_contact_import_changes_import_id", "contact_import_changes", ["import_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_contact_import_changes_import_id", table_name="contact_import_changes")
    op.drop_index("ix_contact_import_changes_created_at", table_name="contact_import_changes")
    op.drop_index("ix_contact_import_changes_contact_id", table_name="contact_import_changes")
    op.drop_table("contact_import_changes")
    op.drop_index("ix_contact_imports_workspace_id", table_name="contact_imports")
    op.drop_index("ix_contact_imports_header_hash", table_name="contact_imports")
    op.drop_index("ix_contact_imports_due", table_name="contact_imports", postgresql_where=sa.text("task IS NOT NULL"))
    op.drop_index("ix_contact_imports_created_at", table_name="contact_imports")
    op.drop_table("contact_imports")
