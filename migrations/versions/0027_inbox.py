"""The inbox: further ids of people, states of conversations, what messages hold, labels, notes, rules, words.

The large tables are not rewritten: what is new in them is empty or constant, their keys are checked and their indexes
made while others write. That part may be done again from its beginning, so it comes first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_COLUMNS = {
    "conversations": (
        "in_inbox boolean DEFAULT false NOT NULL",
        "status text",
        "status_before text",
        "in_charge text DEFAULT 'us' NOT NULL",
        "assignee_id bigint",
        "unread_count bigint DEFAULT 0 NOT NULL",
        "reply_until timestamptz",
        "reply_reason text",
        "waiting_since timestamptz",
        "first_inbound_at timestamptz",
        "answered_at timestamptz",
        "last_activity_at timestamptz",
        "last_message_id bigint",
        "last_inbound_message_id bigint",
        "snoozed_until timestamptz",
        "snoozed_until_reply boolean DEFAULT false NOT NULL",
        "remind_at timestamptz",
        "owner_user_id bigint",
        "visibility text DEFAULT 'workspace' NOT NULL",
    ),
    "identities": ("contact_id bigint", "merged_into_id bigint"),
    "messages": (
        "via text",
        "author_user_id bigint",
        "happened_at timestamptz",
        "edited_at timestamptz",
        "played_at timestamptz",
        "content jsonb",
        "price jsonb",
    ),
}
_CHECKS = (
    ("conversations", "status", "status IN ('bot', 'open', 'waiting', 'snoozed', 'closed')"),
    ("conversations", "in_charge", "in_charge IN ('us', 'other', 'page_inbox')"),
    ("conversations", "visibility", "visibility IN ('workspace', 'people', 'owner')"),
)
_REFERENCES = (
    ("conversations", "assignee_id", "users"),
    ("conversations", "owner_user_id", "users"),
    ("identities", "contact_id", "contacts"),
    ("identities", "merged_into_id", "identities"),
    ("messages", "author_user_id", "users"),
)
_INDEXES = (
    ("ix_conversations_inbox", "conversations (workspace_id, last_activity_at, id) WHERE in_inbox"),
    ("ix_conversations_inbox_status", "conversations (workspace_id, status, last_activity_at, id) WHERE in_inbox"),
    (
        "ix_conversations_assignee_id",
        "conversations (assignee_id, last_activity_at, id) WHERE assignee_id IS NOT NULL",
    ),
    ("ix_conversations_owner_user_id", "conversations (owner_user_id) WHERE owner_user_id IS NOT NULL"),
    ("ix_conversations_snoozed", "conversations (snoozed_until) WHERE snoozed_until IS NOT NULL"),
    ("ix_conversations_remind_at", "conversations (remind_at) WHERE remind_at IS NOT NULL"),
    ("ix_identities_contact_id", "identities (contact_id) WHERE contact_id IS NOT NULL"),
    ("ix_identities_merged_into_id", "identities (merged_into_id) WHERE merged_into_id IS NOT NULL"),
    ("ix_messages_author_user_id", "messages (author_user_id) WHERE author_user_id IS NOT NULL"),
    ("ix_messages_thread", "messages (conversation_id, coalesce(happened_at, created_at), id)"),
)
_TABLES = (
    "message_words",
    "message_versions",
    "message_reactions",
    "message_files",
    "conversation_shares",
    "conversation_notes",
    "conversation_labels",
    "conversation_drafts",
    "identity_merges",
    "identity_ids",
    "canned_replies",
    "assignment_rules",
    "labels",
    "inbox_settings",
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for table, columns in _COLUMNS.items():
            op.execute(f"ALTER TABLE {table} " + ", ".join(f"ADD COLUMN IF NOT EXISTS {it}" for it in columns))
        for table, name, condition in _CHECKS:
            _constrain(table, f"ck_{table}_{name}", f"CHECK ({condition})")
        for table, column, target in _REFERENCES:
            clause = f"FOREIGN KEY (workspace_id, {column}) REFERENCES {target} (workspace_id, id)"
            _constrain(table, f"fk_{table}_workspace_id_{column}", f"{clause} ON DELETE SET NULL ({column})")
        op.execute("SET lock_timeout = 0")
        for name, place in _INDEXES:
            # What a build that was broken off has left is not valid, and would be in the way.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            on, _, rest = place.partition(" ")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {on} {rest}")
        op.execute("RESET lock_timeout")
        # A person's account and its chats are that person's.
        op.execute(
            "UPDATE conversations c SET owner_user_id = a.owner_user_id, visibility = 'owner' FROM accounts a"
            " WHERE a.sender_id = c.sender_id AND c.owner_user_id IS NULL"
        )
    _create_tables()


def downgrade() -> None:
    for name in _TABLES:
        op.drop_table(name)
    for name, _ in reversed(_INDEXES):
        op.execute(f"DROP INDEX {name}")
    for table, columns in _COLUMNS.items():
        op.execute(f"ALTER TABLE {table} " + ", ".join(f"DROP COLUMN {it.split()[0]}" for it in columns))


def _constrain(table: str, name: str, clause: str) -> None:
    """Adds a constraint without holding up those who write while it is checked."""
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {clause} NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def _create_tables() -> None:
    op.create_table(
        "inbox_settings",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_response_minutes", sa.BigInteger(), nullable=True),
        sa.Column("next_response_minutes", sa.BigInteger(), nullable=True),
        sa.Column("working_hours", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("away_text", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_inbox_settings_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_inbox_settings")),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("color", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_labels_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_labels_workspace_id_id")),
        sa.UniqueConstraint("workspace_id", "name_folded", name=op.f("uq_labels_workspace_id_name_folded")),
    )
    op.create_table(
        "assignment_rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("label_id", sa.BigInteger(), nullable=True),
        sa.Column("sender_id", sa.BigInteger(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column(
            "user_ids", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("capacity", sa.SmallInteger(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("last_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("method IN ('round_robin', 'user')", name=op.f("ck_assignment_rules_method")),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_assignment_rules_sender_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "label_id"],
            ["labels.workspace_id", "labels.id"],
            name=op.f("fk_assignment_rules_workspace_id_label_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_assignment_rules_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment_rules")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_assignment_rules_workspace_id_id")),
    )
    op.create_index("ix_assignment_rules_label_id", "assignment_rules", ["label_id"], unique=False)
    op.create_index(
        "ix_assignment_rules_position", "assignment_rules", ["workspace_id", "position", "id"], unique=False
    )
    op.create_index("ix_assignment_rules_sender_id", "assignment_rules", ["sender_id"], unique=False)
    op.create_table(
        "canned_replies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shortcut", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), server_default="plain", nullable=False),
        sa.Column(
            "file_ids", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("owner_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("format IN ('plain', 'html')", name=op.f("ck_canned_replies_format")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "owner_user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_canned_replies_workspace_id_owner_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_canned_replies_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_replies")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_canned_replies_workspace_id_id")),
    )
    op.create_index(
        "uq_canned_replies_own",
        "canned_replies",
        ["owner_user_id", "shortcut"],
        unique=True,
        postgresql_where=sa.text("owner_user_id IS NOT NULL"),
    )
    op.create_index(
        "uq_canned_replies_shared",
        "canned_replies",
        ["workspace_id", "shortcut"],
        unique=True,
        postgresql_where=sa.text("owner_user_id IS NULL"),
    )
    op.create_table(
        "identity_ids",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("identity_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), server_default="", nullable=False),
        sa.Column("external_id_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("external_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "identity_id"],
            ["identities.workspace_id", "identities.id"],
            name=op.f("fk_identity_ids_workspace_id_identity_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_identity_ids_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_ids")),
        sa.UniqueConstraint("workspace_id", "external_hash", name=op.f("uq_identity_ids_workspace_id_external_hash")),
    )
    op.create_index("ix_identity_ids_identity_id", "identity_ids", ["identity_id"], unique=False)
    op.create_table(
        "identity_merges",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("winner_id", sa.BigInteger(), nullable=False),
        sa.Column("loser_id", sa.BigInteger(), nullable=False),
        sa.Column("moved", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "loser_id"],
            ["identities.workspace_id", "identities.id"],
            name=op.f("fk_identity_merges_workspace_id_loser_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "winner_id"],
            ["identities.workspace_id", "identities.id"],
            name=op.f("fk_identity_merges_workspace_id_winner_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_identity_merges_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_merges")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_identity_merges_workspace_id_id")),
    )
    op.create_index("ix_identity_merges_loser_id", "identity_merges", ["loser_id"], unique=False)
    op.create_index("ix_identity_merges_winner_id", "identity_merges", ["winner_id"], unique=False)
    op.create_table(
        "conversation_drafts",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "file_ids", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("reply_to", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "conversation_id"],
            ["conversations.workspace_id", "conversations.id"],
            name=op.f("fk_conversation_drafts_workspace_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_conversation_drafts_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_conversation_drafts_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_conversation_drafts")),
    )
    op.create_index("ix_conversation_drafts_user_id", "conversation_drafts", ["user_id"], unique=False)
    op.create_table(
        "conversation_labels",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "conversation_id"],
            ["conversations.workspace_id", "conversations.id"],
            name=op.f("fk_conversation_labels_workspace_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "label_id"],
            ["labels.workspace_id", "labels.id"],
            name=op.f("fk_conversation_labels_workspace_id_label_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_conversation_labels_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "label_id", name=op.f("pk_conversation_labels")),
    )
    op.create_index(
        "ix_conversation_labels_label_id", "conversation_labels", ["label_id", "conversation_id"], unique=False
    )
    op.create_table(
        "conversation_notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("author_user_id", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "mentions", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "author_user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_conversation_notes_workspace_id_author_user_id"),
            ondelete="SET NULL (author_user_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "conversation_id"],
            ["conversations.workspace_id", "conversations.id"],
            name=op.f("fk_conversation_notes_workspace_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_conversation_notes_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_notes")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_conversation_notes_workspace_id_id")),
    )
    op.create_index("ix_conversation_notes_author_user_id", "conversation_notes", ["author_user_id"], unique=False)
    op.create_index(
        "ix_conversation_notes_conversation_id", "conversation_notes", ["conversation_id", "id"], unique=False
    )
    op.create_table(
        "conversation_shares",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "conversation_id"],
            ["conversations.workspace_id", "conversations.id"],
            name=op.f("fk_conversation_shares_workspace_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["users.workspace_id", "users.id"],
            name=op.f("fk_conversation_shares_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_conversation_shares_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_conversation_shares")),
    )
    op.create_index("ix_conversation_shares_user_id", "conversation_shares", ["user_id"], unique=False)
    op.create_table(
        "message_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("mime", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("width", sa.BigInteger(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("duration", sa.BigInteger(), nullable=True),
        sa.Column("external_file_id_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "file_id"],
            ["files.workspace_id", "files.id"],
            name=op.f("fk_message_files_workspace_id_file_id"),
            ondelete="SET NULL (file_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "message_id"],
            ["messages.workspace_id", "messages.id"],
            name=op.f("fk_message_files_workspace_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_message_files_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_files")),
        sa.UniqueConstraint("message_id", "position", name=op.f("uq_message_files_message_id_position")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_message_files_workspace_id_id")),
    )
    op.create_index(
        "ix_message_files_file_id",
        "message_files",
        ["file_id"],
        unique=False,
        postgresql_where=sa.text("file_id IS NOT NULL"),
    )
    op.create_table(
        "message_reactions",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reaction", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "message_id"],
            ["messages.workspace_id", "messages.id"],
            name=op.f("fk_message_reactions_workspace_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_message_reactions_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "author", name=op.f("pk_message_reactions")),
    )
    op.create_table(
        "message_versions",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "message_id"],
            ["messages.workspace_id", "messages.id"],
            name=op.f("fk_message_versions_workspace_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_message_versions_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "version", name=op.f("pk_message_versions")),
    )
    op.create_table(
        "message_words",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "conversation_id"],
            ["conversations.workspace_id", "conversations.id"],
            name=op.f("fk_message_words_workspace_id_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "message_id"],
            ["messages.workspace_id", "messages.id"],
            name=op.f("fk_message_words_workspace_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_message_words_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_words")),
    )
    op.create_index("ix_message_words_conversation_id", "message_words", ["conversation_id", "at"], unique=False)
    op.create_index("ix_message_words_words", "message_words", ["words"], unique=False, postgresql_using="gin")
