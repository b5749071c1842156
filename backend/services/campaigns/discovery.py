"""Finding people: the next twenty in line are looked up by the account, and what comes of it moves their recipients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.models import Account, AccountLookup, Campaign, CampaignRecipient
from backend.services.accounts import lookups
from backend.services.accounts.events import LookupFinished
from backend.services.campaigns import wakening

AHEAD: Final = 20
GIVEN_UP_AFTER: Final = timedelta(days=3)
_NOBODY: Final = ("not_found", "hidden_or_none")


def look_ahead(account: Account, campaigns: Sequence[Campaign]) -> None:
    """Has the account look up those who are next in each of its campaigns, and takes over what is known of them.

    One of whom Telegram says nothing keeps nobody behind them waiting, and is given up after three days of asking.
    """
    for campaign in campaigns:
        rows = _skip_hopeless(account, _next_in_line(account, campaign))
        points = [row.contact_point_id for row in rows if row.contact_point_id is not None]
        if not points:
            continue
        lookups.request(account.sender_id, points, add_to_contacts=campaign.add_to_contacts)
        known = _lookups_of(account, points)
        is_used_up = lookups.left_today(account.quota_key, clock.now()) == 0
        for row in rows:
            lookup = known.get(row.contact_point_id or 0)
            if lookup is not None and lookup.state == "done":
                apply(row, lookup.result or "unknown", lookup.identity_id)
            elif row.state == "waiting":
                row.reason = "lookup_limit" if is_used_up else "looking_up"
    db.session.flush()


def _skip_hopeless(account: Account, rows: Sequence[CampaignRecipient]) -> list[CampaignRecipient]:
    """Leaves out who has nothing by which they could be found, and of whom Telegram said nothing for days; returns the
    others."""
    known = _lookups_of(account, [row.contact_point_id for row in rows if row.contact_point_id is not None])
    hopeful = []
    for row in rows:
        lookup = known.get(row.contact_point_id or 0)
        is_silent = lookup is not None and (lookup.state, lookup.result) == ("done", "unknown")
        is_over = is_silent and lookup is not None and lookup.created_at < clock.now() - GIVEN_UP_AFTER
        if row.contact_point_id is None or is_over:
            skip(row, "no_telegram")
        else:
            hopeful.append(row)
    return hopeful


def _lookups_of(account: Account, points: Sequence[int]) -> dict[int, AccountLookup]:
    """What the account has asked of these points, by their id."""
    query = select(AccountLookup).where(
        AccountLookup.sender_id == account.sender_id, AccountLookup.contact_point_id.in_(points)
    )
    query = query.execution_options(populate_existing=True)
    return {lookup.contact_point_id: lookup for lookup in db.session.scalars(query)}


def _next_in_line(account: Account, campaign: Campaign) -> Sequence[CampaignRecipient]:
    """Those who have to be looked up next; without those who are asked for again later."""
    now, row = clock.now(), CampaignRecipient
    put_off = select(AccountLookup.id).where(
        AccountLookup.sender_id == account.sender_id,
        AccountLookup.contact_point_id == row.contact_point_id,
        AccountLookup.state == "done",
        AccountLookup.result.in_(("unknown", "limited")),
        AccountLookup.next_at > now,
        (AccountLookup.result == "limited") | (AccountLookup.created_at >= now - GIVEN_UP_AFTER),
    )
    return db.session.scalars(
        select(row)
        .where(row.campaign_id == campaign.id, row.state == "waiting", row.step == 1, row.identity_id.is_(None))
        .where(~put_off.exists())
        .order_by(row.place)
        .limit(AHEAD)
    ).all()


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
