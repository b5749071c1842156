"""From which network a sign-in was made, as a keyed hash; and requests for a reset link, answered by a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A nullable column without a default rewrites nothing; code before this one leaves it out.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("sign_ins", sa.Column("network_hash", sa.LargeBinary(), nullable=True))
    op.create_table(
        "reset_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reset_requests")),
    )


def downgrade() -> None:
    op.drop_table("reset_requests")
    op.drop_column("sign_ins", "network_hash")
