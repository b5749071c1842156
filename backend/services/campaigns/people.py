"""People who are added to a campaign after its launch: another batch of the audience, behind those who are there."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from backend.core.database import db
from backend.models import CampaignRecipient
from backend.services.accounts import access
from backend.services.auth import audit
from backend.services.auth.actor import Actor
from backend.services.campaigns import (
    audience,
    eligibility,
    locking,
    recipient_hours,
    records,
    sketch,
    states,
    wakening,
)


def add(actor: Actor, campaign_id: int, contact_ids: Sequence[int]) -> int:
    """Adds these contacts; returns how many are new, those who may not be written to among them, as skipped.

    Raises NotFound for contacts that are not there, Conflict (campaign_state).
    """
    campaign = records.get(campaign_id, lock=True)
    if campaign.state not in (states.SCHEDULED, states.RUNNING, states.PAUSED, states.FINISHED):
        raise records.wrong_state(campaign)
    records.require_sender(actor, campaign)
    audience.require(contact_ids)
    locking.take_downs(campaign.workspace_id)
    last = db.session.scalar(
        select(func.max(CampaignRecipient.place)).where(CampaignRecipient.campaign_id == campaign.id)
    )
    account = None if campaign.sender_id is None else access.find(campaign.sender_id)
    terms = sketch.terms_of(campaign, account)
    added = eligibility.take_down(terms, list(dict.fromkeys(contact_ids)), (last if last is not None else -1) + 1)
    campaign.total += added
    if added and campaign.state == states.FINISHED:
        campaign.state, campaign.ended_at = states.RUNNING, None
    recipient_hours.resolve(campaign)
    records.touch(campaign)
    wakening.wake_campaigns({campaign.id})
    audit.record(actor.by, "campaign.recipients_added", f"campaign:{campaign.id}", added=added)
    return added
