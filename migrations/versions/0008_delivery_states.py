"""A delivery is due or in flight: statements say "not due" and mean in flight."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Whoever waits for the lock keeps all of delivery waiting behind it: rather fail beside a long dump, and be repeated.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_check_constraint(op.f("ck_deliveries_state"), "deliveries", "state IN ('due', 'sending')")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_deliveries_state"), "deliveries")
