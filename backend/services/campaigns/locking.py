"""The order in which campaigns lock rows, so that nobody waits for one who waits for them: messages under way, then
recipients, then campaigns, each by id. An outcome is recorded under its message's lock, so messages come first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from backend.core.database import db
from backend.models import CampaignMessage, CampaignRecipient, Message


def take_downs(workspace_id: int) -> None:
    """Lets one launch of a workspace take people down at a time: the next one then sees whom it took, and of two that
    want the same person one has them."""
    key = select(func.pg_advisory_xact_lock(func.hashtext("campaign take down"), workspace_id))
    db.session.execute(key)


def messages(*which: Any) -> None:
    """Locks the messages under way of these recipients, given by conditions on them or on their messages."""
    under_way = (
        select(CampaignMessage.message_id)
        .join(CampaignRecipient, CampaignRecipient.id == CampaignMessage.recipient_id)
        .where(CampaignMessage.state == "sending", *which)
    )
    db.session.execute(select(Message.id).where(Message.id.in_(under_way)).order_by(Message.id).with_for_update())


def recipients(*which: Any) -> Sequence[CampaignRecipient]:
    """These recipients, locked after their messages under way, as they are now; in order of id."""
    messages(*which)
    return db.session.scalars(
        select(CampaignRecipient)
        .where(*which)
        .order_by(CampaignRecipient.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def open_of(campaign_id: int) -> None:
    """Locks everybody in a campaign who has not ended, after its messages under way; reads none of them."""
    messages(CampaignMessage.campaign_id == campaign_id)
    still_open = select(CampaignRecipient.id).where(
        CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.ended_at.is_(None)
    )
    locked = still_open.order_by(CampaignRecipient.id).with_for_update().subquery()
    db.session.execute(select(func.count()).select_from(locked))
