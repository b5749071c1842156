"""How a campaign goes, in numbers: all of it, and variant by variant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from backend.core.database import db
from backend.models import Campaign, CampaignRecipient
from backend.services.campaigns import states, steps


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


MIN_COMPARED: Final = 100
"""People of a variant who were written to, below whom its share of answers tells nothing."""


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """How one of several texts does. With `too_few` nothing can be told from it yet."""

    name: str
    sent: int
    read: int
    replied: int
    opted_out: int
    too_few: bool


def by_variant(campaign: Campaign) -> list[VariantFigures]:
    """The numbers of each variant, by name, of those who were written to: one statement. Nothing without variants."""
    row = CampaignRecipient
    query = (
        select(
            row.variant,
            func.count(),
            func.count().filter(row.read_at.is_not(None)),
            func.count().filter(row.reason == "replied"),
            func.count().filter(row.reason == "opted_out", row.state == "stopped"),
        )
        .where(row.campaign_id == campaign.id, row.messages_sent > 0, row.variant.is_not(None))
        .group_by(row.variant)
    )
    counted: dict[str, tuple[int, int, int, int]] = {
        str(name): (sent, read, replied, opted_out)
        for name, sent, read, replied, opted_out in db.session.execute(query)
    }
    names = {*(variant.name for variant in steps.variants_of(steps.of(campaign.id))), *counted}
    listed = [(name, counted.get(name, (0, 0, 0, 0))) for name in sorted(names)]
    return [VariantFigures(name, *numbers, too_few=numbers[0] < MIN_COMPARED) for name, numbers in listed]
