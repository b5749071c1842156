"""Messages that are gone at the provider, chats that cannot be reached at present, and edits that tell news."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Columns that may be empty: no row is rewritten, and code that does not know them goes on. Whoever waits for a
    # lock keeps others waiting behind it: rather fail beside a long transaction, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("messages", sa.Column("gone_code", sa.Text(), nullable=True))
    op.add_column("message_parts", sa.Column("gone_code", sa.Text(), nullable=True))
    op.add_column("conversations", sa.Column("unreachable_code", sa.Text(), nullable=True))
    op.add_column("conversations", sa.Column("unreachable_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert_messages", sa.Column("news_version", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("alert_messages", "news_version")
    op.drop_column("conversations", "unreachable_at")
    op.drop_column("conversations", "unreachable_code")
    op.drop_column("message_parts", "gone_code")
    op.drop_column("messages", "gone_code")
