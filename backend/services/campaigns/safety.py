"""What pauses a campaign by itself: people who object, an audience that is not there, messages that nobody reads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db
from backend.models import Campaign, CampaignMessage, CampaignRecipient
from backend.services.auth import attribution
from backend.services.campaigns import lifecycle, states

LAST: Final = 10
MAX_OPT_OUTS: Final = 2
MAX_PRIVACY_REFUSALS: Final = 3
MIN_LOOKED_UP: Final = 20
UNSEEN_AFTER: Final = timedelta(days=3)
_GONE: Final = ("no_telegram", "identity_changed")


def check(campaign_id: int) -> str | None:
    """Pauses a running campaign that should not go on as it is; returns why."""
    campaign = db.session.get(Campaign, campaign_id)
    if campaign is None or campaign.state != states.RUNNING:
        return None
    reason = _objection(campaign_id)
    if reason is not None and not _was_resumed_after(campaign, reason):
        lifecycle.pause(attribution.SYSTEM, campaign, reason)
        return reason
    return None


def _objection(campaign_id: int) -> str | None:
    last: Any = db.session.execute(
        select(CampaignRecipient.state, CampaignRecipient.reason, CampaignRecipient.read_at, CampaignMessage.sent_at)
        .join(CampaignMessage, CampaignMessage.recipient_id == CampaignRecipient.id)
        .where(CampaignMessage.campaign_id == campaign_id, CampaignMessage.step == 1)
        .where(CampaignMessage.state.in_(("sent", "failed")))
        .order_by(CampaignMessage.planned_at.desc(), CampaignMessage.id.desc())
        .limit(LAST)
    ).all()
    if sum(row.reason == "opted_out" for row in last) >= MAX_OPT_OUTS:
        return "complaints"
    newest = last[:MAX_PRIVACY_REFUSALS]
    if len(newest) == MAX_PRIVACY_REFUSALS and all((row.state, row.reason) == ("failed", "privacy") for row in newest):
        return "bad_audience"
    if _is_mostly_not_found(campaign_id):
        return "bad_audience"
    sent = [row for row in last if row.sent_at is not None]
    before = clock.now() - UNSEEN_AFTER
    is_unseen = len(sent) == LAST and all(row.read_at is None and row.state != "replied" for row in sent)
    return "unseen" if is_unseen and max(row.sent_at for row in sent) < before else None


def _is_mostly_not_found(campaign_id: int) -> bool:
    known_people = func.count(CampaignRecipient.id).filter(CampaignRecipient.identity_id.is_not(None))
    gone = func.count(CampaignRecipient.id).filter(
        CampaignRecipient.reason.in_(_GONE), CampaignRecipient.contact_point_id.is_not(None)
    )
    row = db.session.execute(select(known_people, gone).where(CampaignRecipient.campaign_id == campaign_id)).one()
    return bool(row[0] + row[1] >= MIN_LOOKED_UP and row[1] > row[0])


def _was_resumed_after(campaign: Campaign, reason: str) -> bool:
    """Whether an operator has seen this objection and let the campaign run on: it is not paused for the same again."""
    return reason in (campaign.accepted_objections or [])
