"""What a chat was answered by itself lately, kept with the conversation, so that repeated commands can be answered less often.

The code before this one leaves the column alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody is kept waiting behind us for this lock: rather fail beside a long transaction, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("conversations", sa.Column("recent_answers", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("conversations", "recent_answers")
