"""Indexes by which a workspace's posts that are not over and its files are counted for their caps.

Nothing but indexes, so the code before this one goes on; they are built while the tables are in use.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # What a build that was broken off has left is not valid, and would be in the way.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_posts_waiting")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_files_size")
        op.create_index(
            "ix_posts_waiting",
            "posts",
            ["workspace_id"],
            postgresql_where=sa.text("state IN ('draft', 'scheduled', 'publishing')"),
            postgresql_concurrently=True,
        )
        op.create_index("ix_files_size", "files", ["workspace_id", "size"], postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_index("ix_files_size", table_name="files")
    op.drop_index("ix_posts_waiting", table_name="posts")
