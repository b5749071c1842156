"""Gives an account's campaigns a turn as soon as the present transaction has committed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import update

from backend.core import clock, queue
from backend.core.database import db
from backend.models import Campaign

QUEUE: Final = "scheduling"


def wake_account(sender_id: int) -> None:
    """Gives the campaigns that run from an account a turn now, in the scope of the caller."""
    db.session.execute(
        update(Campaign)
        .where(Campaign.sender_id == sender_id, Campaign.state == "running")
        .values(next_turn_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )
    wake()


def wake_campaigns(campaign_ids: Collection[int]) -> None:
    """Gives these campaigns a turn now where they run, in the scope of the caller."""
    db.session.execute(
        update(Campaign)
        .where(Campaign.id.in_(sorted(campaign_ids)), Campaign.state == "running")
        .values(next_turn_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )
    wake()


def wake() -> None:
    """Has a worker do what is due."""
    queue.wake(QUEUE)
