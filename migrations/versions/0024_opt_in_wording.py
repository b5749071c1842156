"""What a person agrees to on the page of an opt-in link, in the words of each workspace.

The code before this one leaves the column alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nobody is kept waiting behind us for this lock: rather fail beside a long transaction, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("contact_settings", sa.Column("opt_in_wording", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("contact_settings", "opt_in_wording")
