"""Campaigns as the API shows them, at a constant number of statements for any number of campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select

from backend.core.database import db
from backend.models import Campaign, CampaignStep
from backend.services.campaigns import ledger, steps

_OWN: Final = (
    "id", "name", "state", "pause_reason", "paused_by", "paused_at", "purpose", "window", "add_to_contacts",
    "lawful_basis", "version", "total", "scheduled_at", "launched_at", "ended_at", "archived_at", "created_at",
    "updated_at",
)  # fmt: skip


def describe(campaigns: Sequence[Campaign]) -> list[dict[str, Any]]:
    """What is known of these campaigns, in their order: three statements."""
    ids = [campaign.id for campaign in campaigns]
    counts, by_campaign = ledger.counts(ids), steps.of_many(ids)
    audiences: dict[int, dict[str, Any]] = {
        row.id: row.audience
        for row in db.session.execute(select(Campaign.id, Campaign.audience).where(Campaign.id.in_(ids)))
    }
    return [
        {
            **{name: getattr(campaign, name) for name in _OWN},
            "account_id": campaign.sender_id,
            "audience": audiences[campaign.id],
            "counts": counts[campaign.id],
            "steps": [_step(step) for step in by_campaign[campaign.id]],
        }
        for campaign in campaigns
    ]


def describe_one(campaign: Campaign) -> dict[str, Any]:
    """What is known of one campaign."""
    return describe([campaign])[0]


def _step(step: CampaignStep) -> dict[str, Any]:
    return {
        "position": step.position,
        "template": step.template,
        "delay_days": step.delay_days,
        "variants": [{"weight": 1, "is_on": True, **variant} for variant in step.variants],
        "version": step.version,
    }
