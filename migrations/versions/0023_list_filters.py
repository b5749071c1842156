"""Indexes by which messages are listed of a person or a kind, and events of a type or a decision.

Without them a filter that few rows pass reads a workspace's whole history. Nothing but indexes, so the code before this
one goes on; they are built while the tables are in use.
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_messages_user_id", "messages", ["user_id", "id"]),
    ("ix_messages_kind", "messages", ["workspace_id", "kind", "id"]),
    ("ix_notification_events_type", "notification_events", ["workspace_id", "type", "id"]),
    ("ix_notification_events_decision", "notification_events", ["workspace_id", "decision", "id"]),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, columns in _INDEXES:
            # What a build that was broken off has left is not valid, and would be in the way.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.create_index(name, table, columns, postgresql_concurrently=True)


def downgrade() -> None:
    for name, table, _columns in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
