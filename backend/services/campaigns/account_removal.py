"""What becomes of campaigns whose account is removed: paused, canceled, or moved to another account."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update

from backend.core import clock
from backend.core.database import db
from backend.models import Campaign, CampaignRecipient
from backend.services.accounts import integrations
from backend.services.accounts.integrations import Use
from backend.services.auth import attribution, audit
from backend.services.campaigns import lifecycle, records, states, wakening

_OPEN = (states.SCHEDULED, states.RUNNING, states.PAUSED)


def count(sender_id: int) -> Use:
    """What campaigns still have to send from an account: campaigns, people who got nothing yet, people under way."""
    under_way = (CampaignRecipient.messages_sent > 0) | (CampaignRecipient.state == "sending")
    row = db.session.execute(
        select(
            func.count(func.distinct(Campaign.id)),
            func.count(CampaignRecipient.id).filter(~under_way),
            func.count(CampaignRecipient.id).filter(under_way),
        )
        .join(CampaignRecipient, CampaignRecipient.campaign_id == Campaign.id)
        .where(Campaign.sender_id == sender_id, Campaign.state.in_(_OPEN), CampaignRecipient.ended_at.is_(None))
    ).one()
    return Use(*row)


def settle(sender_id: int, pending: str, to: int | None) -> None:
    """Pauses, cancels or moves (`to` another account) what campaigns have to send.

    Who is under way ends as `account_removed`: a conversation belongs to one account. Who is moved is looked up again.
    """
    query = select(Campaign).where(Campaign.sender_id == sender_id, Campaign.state.in_(_OPEN)).order_by(Campaign.id)
    for campaign in db.session.scalars(query.with_for_update()).all():
        lifecycle.take_back(campaign.id, "account_removed")
        _end_under_way(campaign.id)
        if pending == "cancel":
            lifecycle.end_open(campaign.id, "canceled", "account_removed")
            campaign.state, campaign.ended_at, campaign.next_turn_at = states.CANCELED, clock.now(), None
        elif pending == "move":
            records.forget_identities(campaign.id)
            campaign.sender_id = to
        elif campaign.state == states.RUNNING:
            lifecycle.pause(attribution.SYSTEM, campaign, "account")
        records.touch(campaign)
        audit.record(attribution.SYSTEM, "campaign.account_removed", f"campaign:{campaign.id}", pending=pending)
    if to is not None:
        wakening.wake_account(to)


def _end_under_way(campaign_id: int) -> None:
    _set(
        campaign_id,
        CampaignRecipient.messages_sent > 0,
        state="stopped",
        reason="account_removed",
        ended_at=clock.now(),
        planned_at=None,
    )


def _set(campaign_id: int, which: Any, **values: Any) -> None:
    db.session.execute(
        update(CampaignRecipient)
        .where(CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.ended_at.is_(None))
        .where(CampaignRecipient.state.in_(states.PENDING), which)
        .values(updated_at=clock.now(), **values)
        .execution_options(synchronize_session="fetch")
    )


integrations.register_use(count, settle)
