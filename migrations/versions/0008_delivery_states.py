"""A delivery is due or in flight: statements say "not due" and mean in flight."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_check_constraint(op.f("ck_deliveries_state"), "deliveries", "state IN ('due', 'sending')")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_deliveries_state"), "deliveries")
