"""What a workspace says of opting out and of how often people hear of it; smaller indexes of a campaign's people.

Most people of a campaign have neither an identity nor a conversation yet, so that indexes of these hold few of them and
cost nothing as a list of a hundred thousand is taken down. The indexes are built while the table is in use; the code
before this one goes on with either.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_TABLE = "campaign_recipients"
_COLUMNS = ("identity_id", "contact_point_id", "conversation_id")


def upgrade() -> None:
    op.add_column(
        "contact_settings",
        sa.Column(
            "opt_out_words",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "contact_settings", sa.Column("quiet_days", sa.BigInteger(), server_default=sa.text("7"), nullable=False)
    )
    with op.get_context().autocommit_block():
        for column in _COLUMNS:
            name = f"ix_{_TABLE}_known_{column}"
            # What a build that was broken off has left is not valid, and would be in the way.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.create_index(
                name,
                _TABLE,
                [column],
                postgresql_where=sa.text(f"{column} IS NOT NULL"),
                postgresql_concurrently=True,
            )
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS ix_{_TABLE}_{column}")


def downgrade() -> None:
    for column in _COLUMNS:
        op.create_index(f"ix_{_TABLE}_{column}", _TABLE, [column])
        op.drop_index(f"ix_{_TABLE}_known_{column}", table_name=_TABLE)
    op.drop_column("contact_settings", "quiet_days")
    op.drop_column("contact_settings", "opt_out_words")
