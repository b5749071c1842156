"""Simulation: the plan of a campaign from a moment on, day by day and person by person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from backend.core import clock
from backend.models import Campaign
from backend.services.auth.actor import Actor
from backend.services.campaigns import forecast, preflight, records, sketch
from backend.services.campaigns.planner import NO_ANSWERS, Assumptions, Planned
from backend.services.campaigns.sketch import Sketch

MAX_SHOWN: Final = 1000


def simulate(
    actor: Actor, campaign_id: int, *, start: datetime | None = None, assumptions: Assumptions = NO_ANSWERS
) -> dict[str, Any]:
    """What would happen from `start` (aware; now where it is missing or past): days, and the first 1,000 messages.

    Other campaigns of the account are counted in, and shown in none of it. Raises Conflict (no_account), NotFound.
    """
    campaign = records.get(campaign_id)
    account = preflight.account_of(actor, campaign)
    now = clock.now()
    moment = max(start, now) if start is not None else now
    drawn = sketch.of(campaign, account, moment)
    items = forecast.plan(account, drawn.campaigns, drawn.candidates, now=moment, assumptions=assumptions)
    planned = [item for item in islice(items, forecast.MAX_PLANNED * 2) if isinstance(item, Planned)]
    own = [item for item in planned if item.candidate.campaign_id == campaign.id]
    ends = forecast.ends_of(account, drawn.campaigns, drawn.candidates, drawn.more, moment)
    return {
        "ends": {"earliest": ends.earliest, "likely": ends.likely, "latest": ends.latest},
        "binding_limit": ends.binding_limit,
        "messages": len(own),
        "days": _days(own),
        "recipients": [_recipient(item, drawn, campaign) for item in own[:MAX_SHOWN]],
        "more": len(own) > MAX_SHOWN or drawn.more > 0,
    }


def _days(planned: Sequence[Planned]) -> list[dict[str, Any]]:
    """How many first messages and follow-ups go out on each day (UTC)."""
    days: dict[str, dict[str, Any]] = {}
    for item in planned:
        date = item.at.date().isoformat()
        day = days.setdefault(date, {"date": date, "first": 0, "follow_up": 0})
        day["follow_up" if item.candidate.is_follow_up else "first"] += 1
    return list(days.values())


def _recipient(item: Planned, drawn: Sketch, campaign: Campaign) -> dict[str, Any]:
    contact_id, key = drawn.contacts[item.candidate.recipient_id]
    zone = key.partition(";")[0].partition("|")[0]
    return {
        "contact_id": contact_id,
        "step": item.candidate.step,
        "planned_at": item.at,
        "local_time": item.at.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes"),
        "zone": zone,
        "bound_by": item.bound_by,
    }
