"""Finding people: the next twenty in line are looked up by the account, and what comes of it moves their recipients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.models import Account, AccountLookup, Campaign, CampaignRecipient
from backend.services.accounts import lookups
from backend.services.accounts.events import LookupFinished
from backend.services.campaigns import wakening

AHEAD: Final = 20
_NOBODY: Final = ("not_found", "hidden_or_none")


def look_ahead(account: Account, campaigns: Sequence[Campaign]) -> None:
    """Has the account look up those who are next in each of its campaigns, and takes over what is known of them."""
    for campaign in campaigns:
        rows = db.session.scalars(
            select(CampaignRecipient)
            .where(
                CampaignRecipient.campaign_id == campaign.id,
                CampaignRecipient.state == "waiting",
                CampaignRecipient.step == 1,
                CampaignRecipient.identity_id.is_(None),
            )
            .order_by(CampaignRecipient.place)
            .limit(AHEAD)
        ).all()
        points = [row.contact_point_id for row in rows if row.contact_point_id is not None]
        for row in rows:
            if row.contact_point_id is None:
                skip(row, "no_telegram")
        if not points:
            continue
        lookups.request(account.sender_id, points, add_to_contacts=campaign.add_to_contacts)
        known = {
            lookup.contact_point_id: lookup
            for lookup in db.session.scalars(
                select(AccountLookup).where(
                    AccountLookup.sender_id == account.sender_id, AccountLookup.contact_point_id.in_(points)
                )
            )
        }
        is_used_up = lookups.left_today(account.quota_key, clock.now()) == 0
        for row in rows:
            lookup = known.get(row.contact_point_id or 0)
            if lookup is not None and lookup.state == "done":
                apply(row, lookup.result or "unknown", lookup.identity_id)
            elif row.state == "waiting":
                row.reason = "lookup_limit" if is_used_up else "looking_up"
    db.session.flush()


def apply(recipient: CampaignRecipient, result: str, identity_id: int | None) -> None:
    """What a look-up found out about a recipient who waits for it."""
    if result == "found" and identity_id is not None:
        if _is_taken(recipient, identity_id):
            skip(recipient, "same_person")
            return
        recipient.identity_id, recipient.reason = identity_id, "queued"
    elif result in _NOBODY:
        skip(recipient, "no_telegram")
    elif result == "identity_changed":
        skip(recipient, "identity_changed")
    else:
        recipient.reason = "looking_up"


def skip(recipient: CampaignRecipient, reason: str) -> None:
    """Nothing goes to this recipient, for this reason."""
    now = clock.now()
    recipient.state, recipient.reason, recipient.ended_at, recipient.updated_at = "skipped", reason, now, now
    recipient.planned_at = None


def on_lookup_finished(event: LookupFinished) -> None:
    """It is known whose a number or a name is; runs in the transaction that records it."""
    with workspace_scope(event.workspace_id):
        rows = db.session.scalars(
            select(CampaignRecipient)
            .join(Campaign, Campaign.id == CampaignRecipient.campaign_id)
            .where(
                CampaignRecipient.contact_point_id == event.contact_point_id,
                CampaignRecipient.state == "waiting",
                CampaignRecipient.identity_id.is_(None),
                Campaign.sender_id == event.sender_id,
            )
            .order_by(CampaignRecipient.id)
        ).all()
        for row in rows:
            apply(row, event.result, event.identity_id)
            db.session.flush()
        if rows:
            wakening.wake_account(event.sender_id)


def _is_taken(recipient: CampaignRecipient, identity_id: int) -> bool:
    """Whether another recipient of the campaign is this person."""
    query = select(CampaignRecipient.id).where(
        CampaignRecipient.campaign_id == recipient.campaign_id,
        CampaignRecipient.identity_id == identity_id,
        CampaignRecipient.id != recipient.id,
        CampaignRecipient.state != "skipped",
    )
    return db.session.execute(query.limit(1)).first() is not None
