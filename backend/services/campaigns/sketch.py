"""A campaign that has not been launched, as the planner sees it: the people whom a launch would take down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import select

from backend.core.database import db
from backend.models import Account, Campaign, CampaignRecipient
from backend.services.campaigns import audience, eligibility, forecast, recipient_hours, states, steps
from backend.services.campaigns.eligibility import Terms, Verdict
from backend.services.campaigns.planner import Candidate

MAX_PEOPLE: Final = 1000
"""People whose zones and hours are resolved one by one; those after them are counted at the same pace."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """Candidates of a campaign and of those that run beside it. `contacts` names the contact and the hours' key of each
    candidate of the campaign itself; `more` people come after them."""

    campaigns: list[Campaign]
    candidates: list[Candidate]
    contacts: dict[int, tuple[int, str]] = field(default_factory=dict)
    more: int = 0


def terms_of(campaign: Campaign, account: Account | None) -> Terms:
    """By what the people of a campaign are judged."""
    required = steps.required(steps.of(campaign.id))
    return Terms.of(campaign, required, account)


def of(campaign: Campaign, account: Account, now: datetime, verdicts: Sequence[Verdict] | None = None) -> Sketch:
    """The campaign with those that run beside it, from `now` on; `verdicts` on its people, where they are known."""
    running = [other for other in forecast.running_of(account.sender_id) if other.id != campaign.id]
    beside = forecast.candidates(running, ready_only=False, most=None)
    if campaign.state in (states.RUNNING, states.PAUSED):
        own = forecast.candidates([campaign], ready_only=False, most=None)
        return Sketch([campaign, *running], [*own, *beside], _contacts_of(campaign))
    if verdicts is None:
        verdicts = eligibility.verdicts(terms_of(campaign, account), audience.contact_ids(campaign.audience))
    return _of_draft(campaign, verdicts, running, beside, now)


def _of_draft(
    campaign: Campaign,
    verdicts: Sequence[Verdict],
    running: list[Campaign],
    beside: list[Candidate],
    now: datetime,
) -> Sketch:
    writable = [verdict for verdict in verdicts if verdict.reason is None]
    looked_at = writable[:MAX_PEOPLE]
    window = recipient_hours.window_of(campaign)
    keys = recipient_hours.keys_of([verdict.contact_id for verdict in looked_at], campaign.purpose, window)
    delays = tuple(step.delay_days for step in steps.of(campaign.id)[1:])
    own = [
        Candidate(
            -verdict.contact_id,
            campaign.id,
            1,
            now,
            recipient_hours.hours_of(keys[verdict.contact_id][0], window),
            place,
            delays,
            needs_lookup=verdict.identity_id is None,
        )
        for place, verdict in enumerate(looked_at)
        if verdict.contact_id in keys
    ]
    contacts = {-contact_id: (contact_id, key) for contact_id, (key, _) in keys.items()}
    return Sketch([campaign, *running], [*own, *beside], contacts, len(writable) - len(looked_at))


def _contacts_of(campaign: Campaign) -> dict[int, tuple[int, str]]:
    query = select(CampaignRecipient.id, CampaignRecipient.contact_id, CampaignRecipient.hours_key).where(
        CampaignRecipient.campaign_id == campaign.id, CampaignRecipient.ended_at.is_(None)
    )
    return {row.id: (row.contact_id, row.hours_key or "UTC") for row in db.session.execute(query)}
