"""How a campaign goes, in numbers: one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from backend.core.database import db
from backend.models import Campaign, CampaignRecipient
from backend.services.campaigns import states


@dataclass(frozen=True, slots=True)
class Figures:
    """People who were written to, who read it, who answered, who objected, whom an operator has to decide about; and
    when the next message is planned (None where nothing is)."""

    written_to: int
    read: int
    replied: int
    opted_out: int
    asks: int
    next_at: datetime | None


def of(campaign: Campaign) -> Figures:
    """The numbers of a campaign."""
    row = CampaignRecipient
    waits = row.ended_at.is_(None) & row.state.in_(states.PENDING)
    query = select(
        func.count().filter(row.messages_sent > 0),
        func.count().filter(row.read_at.is_not(None)),
        func.count().filter(row.reason == "replied"),
        func.count().filter(row.reason == "opted_out", row.state == "stopped"),
        func.count().filter(row.asks_operator),
        func.min(row.planned_at).filter(waits),
    ).where(row.campaign_id == campaign.id)
    counted: Any = db.session.execute(query).one()
    return Figures(*counted)
