"""The preflight of a launch: whom it reaches and when it ends, from what is known, without asking anybody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict
from backend.models import Account, Campaign, CampaignPreflight
from backend.services.accounts import access
from backend.services.auth.actor import Actor
from backend.services.campaigns import audience, eligibility, forecast, records, sketch, steps
from backend.services.campaigns.eligibility import Counts

LIFE: Final = timedelta(minutes=15)
GROUPS: Final = (
    "reachable", "unknown", "no_telegram", "needs_premium", "suppressed", "opted_out", "no_consent", "in_conversation",
    "in_other_campaign", "same_person", "identity_changed",
)  # fmt: skip


def make(actor: Actor, campaign_id: int) -> CampaignPreflight:
    """Checks a campaign as it stands and keeps the result. Raises Conflict (no_account), NotFound."""
    campaign = records.get(campaign_id)
    return make_for(campaign, account_of(actor, campaign))


def make_for(campaign: Campaign, account: Account) -> CampaignPreflight:
    """The preflight of a campaign with the account from which it is to speak."""
    now = clock.now()
    ids = audience.contact_ids(campaign.audience)
    verdicts = eligibility.verdicts(sketch.terms_of(campaign, account), ids)
    counts = eligibility.count(verdicts)
    drawn = sketch.of(campaign, account, now, verdicts)
    ends = forecast.ends_of(account, drawn.campaigns, drawn.candidates, drawn.more, now)
    preflight = CampaignPreflight(
        workspace_id=campaign.workspace_id,
        campaign_id=campaign.id,
        version=campaign.version,
        fingerprint=fingerprint(campaign, ids),
        report={
            "groups": _groups(counts),
            "total": len(ids),
            "messages": ends.messages,
            "ends": {
                "earliest": ends.earliest.isoformat(),
                "likely": ends.likely.isoformat(),
                "latest": ends.latest.isoformat(),
            },
            "binding_limit": ends.binding_limit,
        },
        created_at=now,
        expires_at=now + LIFE,
    )
    db.session.add(preflight)
    db.session.flush()
    return preflight


def account_of(actor: Actor, campaign: Campaign) -> Account:
    """The account from which a campaign speaks: its own, or the only one that the person may use.

    Raises Conflict (no_account; account_ambiguous with the accounts), NotFound, Forbidden.
    """
    if campaign.sender_id is not None:
        account = access.of_sender(campaign.sender_id)
        if account is None or account.deleted_at is not None:
            raise Conflict("no_account", "The campaign's account was removed: choose another.")
        return records.usable(actor, account.sender_id)
    usable = records.usable_ids(actor)
    if not usable:
        raise Conflict("no_account", "Connect a Telegram account first, or be named by the owner of one.")
    if len(usable) > 1:
        detail = {"accounts": usable}
        raise Conflict("account_ambiguous", "There are several accounts: say from which.", detail=detail)
    return access.find(usable[0])


def find(campaign: Campaign, preflight_id: int) -> CampaignPreflight | None:
    """A preflight of this campaign; None for others."""
    return db.session.scalar(
        select(CampaignPreflight).where(
            CampaignPreflight.id == preflight_id, CampaignPreflight.campaign_id == campaign.id
        )
    )


def is_fresh(preflight: CampaignPreflight, campaign: Campaign, ids: Sequence[int]) -> bool:
    """Whether nothing changed that it spoke of: audience, texts, account, and its time is not over."""
    return preflight.expires_at > clock.now() and preflight.fingerprint == fingerprint(campaign, ids)


def fingerprint(campaign: Campaign, ids: Sequence[int]) -> bytes:
    """A digest (32 bytes) of audience, texts, window, basis and account."""
    texts = [[step.template, step.variants, step.delay_days] for step in steps.of(campaign.id)]
    facts = [campaign.sender_id, campaign.purpose, campaign.window, campaign.lawful_basis, campaign.add_to_contacts]
    return sha256(json.dumps([texts, facts], sort_keys=True, default=str).encode() + audience.digest(ids)).digest()


def describe(preflight: CampaignPreflight) -> dict[str, Any]:
    """The preflight as the API shows it."""
    return {
        "id": preflight.id,
        "version": preflight.version,
        "expires_at": preflight.expires_at,
        **preflight.report,
    }


def _groups(counts: Counts) -> dict[str, Any]:
    groups: dict[str, Any] = {name: counts.by_verdict.get(name, 0) for name in GROUPS}
    groups["costs_stars"] = {"count": counts.by_verdict.get("costs_stars", 0), "stars": counts.stars}
    groups["missing_fields"] = counts.missing_fields
    groups["contact_erased"] = counts.by_verdict.get("contact_erased", 0)
    return groups
