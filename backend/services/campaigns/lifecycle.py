"""The life of a campaign: launched with a preflight, paused, resumed, ended."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, update

from backend.core import clock, failpoints
from backend.core.database import db
from backend.core.errors import Conflict, Invalid
from backend.models import Campaign, CampaignMessage, CampaignPreflight, CampaignRecipient, Message
from backend.services import delivery, live
from backend.services.accounts import access
from backend.services.auth import attribution, audit
from backend.services.auth.actor import Actor
from backend.services.auth.attribution import Attribution
from backend.services.campaigns import (
    audience,
    eligibility,
    locking,
    preflight,
    recipient_hours,
    records,
    sketch,
    states,
    wakening,
)

MAX_DAYS: Final = 90
"""A campaign that may last longer is launched only by somebody who has seen until when."""


class PreflightStale(Conflict):
    """409: what the preflight said holds no more. `preflight` is a new one, which the caller may keep."""

    def __init__(self, new_preflight: CampaignPreflight) -> None:
        super().__init__(
            "preflight_stale",
            "Audience, texts or account changed, or the preflight is older than 15 minutes.",
            detail={
                "preflight": {**preflight.describe(new_preflight), "expires_at": new_preflight.expires_at.isoformat()}
            },
        )


def launch(
    actor: Actor, campaign_id: int, preflight_id: int, *, accept_end_date: bool | str | None = None
) -> tuple[Campaign, bool]:
    """Takes the audience down and starts; a repetition changes nothing. Returns the campaign, and whether it is new.

    Raises Conflict (campaign_state, no_account), PreflightStale, and Invalid (end_date_not_accepted, or the commonest
    reason where nobody is left).
    """
    campaign = records.get(campaign_id, lock=True)
    if campaign.preflight_id == preflight_id and campaign.launched_at is not None:
        return campaign, False
    require(campaign, "launch")
    account = preflight.account_of(actor, campaign)
    ids = audience.contact_ids(campaign.audience)
    known = preflight.find(campaign, preflight_id)
    if known is None or not preflight.is_fresh(known, campaign, ids):
        raise PreflightStale(preflight.make_for(campaign, account))
    require_end_date(known.report, accept_end_date)
    campaign.sender_id, campaign.preflight_id = account.sender_id, known.id
    start(actor, campaign, ids)
    return campaign, True


def start(actor: Actor, campaign: Campaign, ids: list[int]) -> None:
    """Takes these contacts down and lets the campaign run, or wait for its time. Raises Invalid where it is nobody."""
    locking.take_downs(campaign.workspace_id)
    account = None if campaign.sender_id is None else access.find(campaign.sender_id)
    eligibility.take_down(sketch.terms_of(campaign, account), ids)
    require_somebody(campaign)
    now = clock.now()
    waits = campaign.scheduled_at is not None and campaign.scheduled_at > now
    campaign.state = states.SCHEDULED if waits else states.RUNNING
    campaign.launched_at, campaign.launched_by = now, actor.label
    campaign.next_turn_at = campaign.scheduled_at if waits else now
    campaign.total = len(ids)
    recipient_hours.resolve(campaign)
    records.touch(campaign)
    if waits:
        campaign.next_turn_at = campaign.scheduled_at
    audit.record(actor.by, "campaign.launched", f"campaign:{campaign.id}", **_basis_of(campaign))
    failpoints.hit("campaign.launched_not_committed")
    wakening.wake()


def require_somebody(campaign: Campaign) -> None:
    """Raises Invalid with the commonest reason where nobody of the recipients may be written to."""
    rows: Any = db.session.execute(
        select(CampaignRecipient.state, CampaignRecipient.reason, func.count())
        .where(CampaignRecipient.campaign_id == campaign.id)
        .group_by(CampaignRecipient.state, CampaignRecipient.reason)
        .order_by(func.count().desc(), CampaignRecipient.reason)
    ).all()
    if any(state != "skipped" for state, _, _ in rows):
        return
    if not rows:
        raise Invalid.of("audience", "nobody", "The audience is empty.")
    reason = str(rows[0][1])
    code = {"no_consent": "no_lawful_basis", "missing_field": "missing_fields"}.get(reason, reason)
    raise Invalid(code, f"Nobody is left to write to: {states.reason_text(reason, 'en')}", detail=_skipped(rows))


def require_end_date(report: dict[str, Any], accepted: bool | str | None) -> None:
    """Raises Invalid (end_date_not_accepted) where it may last longer than 90 days and nobody accepted until when."""
    latest = datetime.fromisoformat(report["ends"]["latest"])
    if latest <= clock.now() + timedelta(days=MAX_DAYS) or _accepts(accepted, latest):
        return
    raise Invalid(
        "end_date_not_accepted",
        f"At this account's pace it may last until {latest.date().isoformat()}: accept that date.",
        detail={"latest": latest.isoformat(), "likely": report["ends"]["likely"]},
    )


def pause(by: Attribution, campaign: Campaign, reason: str) -> None:
    """Pauses a campaign that runs; what has not started waits again. Raises Conflict (campaign_state)."""
    if campaign.state == states.PAUSED:
        return
    require(campaign, "pause")
    campaign.state, campaign.pause_reason, campaign.paused_by, campaign.paused_at = (
        states.PAUSED,
        reason,
        by.label,
        clock.now(),
    )
    campaign.next_turn_at = None
    records.touch(campaign)
    take_back(campaign.id, "paused")
    audit.record(by, "campaign.paused", f"campaign:{campaign.id}", reason=reason)


def resume(actor: Actor, campaign_id: int) -> Campaign:
    """Lets a paused campaign run on. Raises Conflict (campaign_state, no_account)."""
    campaign = records.get(campaign_id, lock=True)
    if campaign.state == states.RUNNING:
        return campaign
    require(campaign, "resume")
    campaign.sender_id = preflight.account_of(actor, campaign).sender_id
    if campaign.pause_reason not in (None, "operator", "account"):
        campaign.accepted_objections = sorted({*campaign.accepted_objections, campaign.pause_reason})
    campaign.state, campaign.pause_reason, campaign.paused_by, campaign.paused_at = states.RUNNING, None, None, None
    records.touch(campaign)
    audit.record(actor.by, "campaign.resumed", f"campaign:{campaign.id}")
    wakening.wake()
    return campaign


def cancel(actor: Actor, campaign_id: int) -> Campaign:
    """Ends a campaign: whoever waits gets nothing more. Raises Conflict (campaign_state)."""
    locking.open_of(campaign_id)
    campaign = records.get(campaign_id, lock=True)
    if campaign.state == states.CANCELED:
        return campaign
    require(campaign, "cancel")
    campaign.state, campaign.ended_at, campaign.next_turn_at = states.CANCELED, clock.now(), None
    records.touch(campaign)
    take_back(campaign.id, "campaign_canceled")
    end_open(campaign.id, "canceled", "campaign_canceled")
    audit.record(actor.by, "campaign.canceled", f"campaign:{campaign.id}")
    return campaign


def archive(actor: Actor, campaign_id: int, *, archived: bool) -> Campaign:
    """Puts a campaign that has ended, or a draft, out of sight, or brings it back. Raises Conflict (campaign_state)."""
    campaign = records.get(campaign_id, lock=True)
    if archived and campaign.state in (states.SCHEDULED, states.RUNNING, states.PAUSED):
        raise records.wrong_state(campaign)
    campaign.archived_at = clock.now() if archived else None
    records.touch(campaign)
    audit.record(actor.by, "campaign.archived" if archived else "campaign.restored", f"campaign:{campaign.id}")
    return campaign


def finish_if_done(campaign: Campaign) -> bool:
    """Ends a campaign in which nobody waits any more; a question to the operator does not hold it."""
    if campaign.state != states.RUNNING:
        return False
    waiting = select(CampaignRecipient.id).where(
        CampaignRecipient.campaign_id == campaign.id, CampaignRecipient.ended_at.is_(None)
    )
    if db.session.execute(waiting.limit(1)).first() is not None:
        return False
    campaign.state, campaign.ended_at, campaign.next_turn_at = states.FINISHED, clock.now(), None
    db.session.flush()
    audit.record(attribution.SYSTEM, "campaign.finished", f"campaign:{campaign.id}", workspace_id=campaign.workspace_id)
    live.note(campaign.workspace_id, records.TOPIC, campaign_id=campaign.id)
    return True


def take_back(campaign_id: int, code: str) -> int:
    """Takes back what was given to the outbox and has not started; returns how many messages."""
    query = (
        select(Message)
        .join(CampaignMessage, CampaignMessage.message_id == Message.id)
        .where(CampaignMessage.campaign_id == campaign_id, CampaignMessage.state == "sending")
        .order_by(Message.id)
    )
    return sum(delivery.cancel(message, code) for message in db.session.scalars(query).all())


def end_open(campaign_id: int, state: str, reason: str) -> int:
    """Ends everybody who waits; one whose message is on its way ends with its outcome. Returns how many."""
    now = clock.now()
    result: Any = db.session.execute(
        update(CampaignRecipient)
        .where(
            CampaignRecipient.campaign_id == campaign_id,
            CampaignRecipient.ended_at.is_(None),
            CampaignRecipient.state.in_(states.PENDING),
        )
        .values(state=state, reason=reason, ended_at=now, planned_at=None, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)


def require(campaign: Campaign, action: str) -> None:
    """Raises Conflict (campaign_state) where the campaign's state does not allow the action."""
    if campaign.state not in states.TRANSITIONS[action][0]:
        raise records.wrong_state(campaign)
    if action == "launch" and campaign.archived_at is not None:
        raise records.archived(campaign)


def _accepts(accepted: bool | str | None, latest: datetime) -> bool:
    if accepted is None or isinstance(accepted, bool):
        return bool(accepted)
    try:
        return date.fromisoformat(accepted[:10]) >= latest.date()
    except ValueError:
        return False


def _basis_of(campaign: Campaign) -> dict[str, Any]:
    basis = campaign.lawful_basis
    return {} if basis is None else {"basis": basis["basis"], "note": basis["note"]}


def _skipped(rows: Any) -> dict[str, int]:
    return {str(reason): int(many) for _, reason, many in rows}
