"""The three calls that existing clients of the Telegram campaign API use, with their names and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, or_, select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict, Invalid
from backend.models import (
    Account,
    Campaign,
    CampaignMessage,
    CampaignRecipient,
    Contact,
    ContactPoint,
    Identity,
    Message,
)
from backend.services.accounts import access, pace
from backend.services.auth.actor import Actor
from backend.services.campaigns import (
    audience,
    eligibility,
    ledger,
    lifecycle,
    preflight,
    records,
    sketch,
    states,
    steps,
)
from backend.services.campaigns.pace import DAY

NAME: Final = "Telegram campaign"
PENDING: Final = ("waiting", "sending", "unknown")
UNCONNECTED_LIMIT: Final = 10


def start(actor: Actor, values: Mapping[str, Any]) -> dict[str, Any]:
    """Starts a campaign to these contacts at once, from the draft that is named or a new one.

    Raises NotFound for unknown contacts, Conflict (no_account, account_ambiguous, campaign_state), and Invalid
    (template_invalid, end_date_not_accepted, or the commonest reason where nobody is left).
    """
    contact_ids = list(dict.fromkeys(values["contact_ids"]))
    audience.require(contact_ids)
    campaign = _draft(actor, values, contact_ids)
    account = preflight.account_of(actor, campaign)
    campaign.sender_id = account.sender_id
    verdicts = eligibility.verdicts(sketch.terms_of(campaign, account), contact_ids)
    skipped = [
        {"contact_id": verdict.contact_id, "reason": verdict.reason}
        for verdict in verdicts
        if verdict.reason is not None
    ]
    if len(skipped) == len(contact_ids):
        reason = Counter(entry["reason"] for entry in skipped).most_common(1)[0][0]
        text = states.reason_text(str(reason), "en")
        raise Invalid(str(reason), f"Nobody is left to write to: {text}", detail={"skipped": skipped})
    checked = preflight.make_for(campaign, account)
    lifecycle.require_end_date(checked.report, values.get("accept_end_date"))
    campaign.preflight_id = checked.id
    lifecycle.start(actor, campaign, contact_ids)
    return {
        "message": "Telegram campaign started",
        "total_contacts": len(contact_ids) - len(skipped),
        "status": "processing",
        "campaign_id": campaign.id,
        "skipped": skipped,
    }


def status(actor: Actor, account_id: int | None = None) -> dict[str, Any]:
    """How much an account has sent and may send. Raises Conflict (account_ambiguous), NotFound."""
    account = _account(actor, account_id)
    totals = _totals(None if account is None else account.sender_id)
    if account is None:
        return {
            "connected": False,
            "phone": None,
            "messages_sent_today": 0,
            "daily_limit": UNCONNECTED_LIMIT,
            "messages_remaining_today": 0,
            **totals,
            "last_used": None,
            "next_send_at": None,
            "reset_at": None,
            "reason": "not_connected",
        }
    now = clock.now()
    state = pace.of_key(account.quota_key, account.strict_until, now)
    sent = _sent_since(account, now - DAY)
    unknown = max(0, len(state.used) - sent)
    return {
        "connected": account.state in ("connected", "limited", "waiting", "unconfirmed"),
        "phone": account.phone,
        "messages_sent_today": sent,
        "daily_limit": state.daily_limit,
        "messages_remaining_today": max(0, state.daily_limit - sent - unknown),
        **totals,
        "last_used": account.last_used_at,
        "next_send_at": _next_send_at(account),
        "reset_at": state.used[0] + DAY if state.used else None,
        "reason": _reason(account, state.limiting(now)),
    }


def messages(actor: Actor, *, limit: int = 50) -> list[dict[str, Any]]:
    """The newest messages of the caller's account, for admins of all: what was sent, waits, failed, or found nobody.

    What waits is filled in as the person would get it now.
    """
    at_its_step = CampaignMessage.id.is_(None) | (CampaignMessage.step == CampaignRecipient.step)
    ended = (CampaignRecipient.state == "failed") | (
        (CampaignRecipient.state == "skipped") & (CampaignRecipient.reason == "no_telegram")
    )
    shown = CampaignMessage.state.in_(("sent", "sending", "unknown")) | (
        at_its_step & (CampaignRecipient.state.in_(PENDING) | ended)
    )
    rows: Sequence[Any] = db.session.execute(
        select(CampaignRecipient, CampaignMessage, Campaign, Message.external_id)
        .join(Campaign, Campaign.id == CampaignRecipient.campaign_id)
        .outerjoin(CampaignMessage, CampaignMessage.recipient_id == CampaignRecipient.id)
        .outerjoin(Message, Message.id == CampaignMessage.message_id)
        .where(shown, Campaign.sender_id.in_(_visible(actor)))
        .order_by(CampaignRecipient.id.desc(), CampaignMessage.step.desc())
        .limit(limit)
    ).all()
    points = _points([row[0].contact_id for row in rows])
    identities = _identities([row[0].identity_id for row in rows])
    texts = _pending_texts(rows)
    return [
        _message(recipient, entry, campaign, external_id, points, identities, texts)
        for recipient, entry, campaign, external_id in rows
    ]


def _draft(actor: Actor, values: Mapping[str, Any], contact_ids: Sequence[int]) -> Campaign:
    """The draft that is named, with these people and this text, or a new one."""
    given: dict[str, Any] = {
        "audience": {"contact_ids": list(contact_ids)},
        "steps": [{"template": values["message_template"], "delay_days": 0, "variants": []}],
    }
    if values.get("lawful_basis") is not None:
        given["lawful_basis"] = values["lawful_basis"]
    if values.get("account_id") is not None:
        given["account_id"] = values["account_id"]
    if values.get("campaign_id") is None:
        return records.create(actor, {"name": NAME, **given})
    campaign = records.get(values["campaign_id"], lock=True)
    if campaign.state != states.DRAFT:
        raise records.wrong_state(campaign)
    if campaign.archived_at is not None:
        raise records.archived(campaign)
    following = [
        {"template": step.template, "delay_days": step.delay_days, "variants": step.variants}
        for step in steps.of(campaign.id)[1:]
    ]
    given["steps"] += following
    return records.change(actor, campaign.id, campaign.version, given)


def _account(actor: Actor, account_id: int | None) -> Account | None:
    if account_id is not None:
        account = access.find(account_id)
        if not access.may_see(actor, account):
            access.find(0)
        return account
    seen = [account for account in access.all_of_workspace() if access.may_use(actor, account)]
    if not seen:
        seen = [account for account in access.all_of_workspace() if access.may_see(actor, account)]
    if len(seen) > 1:
        detail = {"accounts": [account.sender_id for account in seen]}
        raise Conflict("account_ambiguous", "There are several accounts: say which.", detail=detail)
    return seen[0] if seen else None


def _visible(actor: Actor) -> list[int]:
    query = select(Account)
    return [account.sender_id for account in db.session.scalars(query) if access.may_see(actor, account)]


def _totals(sender_id: int | None) -> dict[str, int]:
    """What was sent, failed and found nobody, of an account or the whole workspace."""
    of_account = CampaignMessage.sender_id == sender_id if sender_id is not None else CampaignMessage.id.is_not(None)
    of_campaign = Campaign.sender_id == sender_id if sender_id is not None else Campaign.id.is_not(None)
    sent = db.session.scalar(select(func.count(CampaignMessage.id)).where(of_account, CampaignMessage.state == "sent"))
    ended = (
        select(
            func.count(CampaignRecipient.id).filter(CampaignRecipient.state == "failed"),
            func.count(CampaignRecipient.id).filter(CampaignRecipient.reason == "no_telegram"),
        )
        .join(Campaign, Campaign.id == CampaignRecipient.campaign_id)
        .where(of_campaign, or_(CampaignRecipient.state == "failed", CampaignRecipient.state == "skipped"))
    )
    failed, no_telegram = db.session.execute(ended).one()
    return {"total_sent": int(sent or 0), "total_failed": int(failed), "total_no_telegram": int(no_telegram)}


def _sent_since(account: Account, since: Any) -> int:
    query = select(func.count(CampaignMessage.id)).where(
        CampaignMessage.sender_id == account.sender_id, CampaignMessage.sent_at > since, CampaignMessage.state == "sent"
    )
    return int(db.session.scalar(query) or 0)


def _next_send_at(account: Account) -> Any:
    query = (
        select(func.min(CampaignRecipient.planned_at))
        .join(Campaign, Campaign.id == CampaignRecipient.campaign_id)
        .where(Campaign.sender_id == account.sender_id, Campaign.state == states.RUNNING)
        .where(CampaignRecipient.ended_at.is_(None))
    )
    return db.session.scalar(query)


def _reason(account: Account, limiting: str | None) -> str | None:
    if account.state == "needs_login":
        return "account_needs_login"
    if account.state in ("frozen", "limited"):
        return f"account_{account.state}"
    if account.campaigns_pause_reason is not None:
        return "account_limited"
    if account.caught_up_at is None:
        return "catching_up"
    return limiting


def _points(contact_ids: Sequence[int]) -> dict[int, str]:
    query = select(ContactPoint).where(ContactPoint.contact_id.in_(contact_ids), ContactPoint.kind == "phone")
    return {point.contact_id: point.value for point in db.session.scalars(query.order_by(ContactPoint.is_primary))}


def _identities(ids: Sequence[int | None]) -> dict[int, Identity]:
    query = select(Identity).where(Identity.id.in_([identity_id for identity_id in ids if identity_id is not None]))
    return {identity.id: identity for identity in db.session.scalars(query)}


def _pending_texts(rows: Sequence[Any]) -> dict[int, str]:
    """What each who waits would get now, by the recipient's id."""
    contact_ids = {recipient.contact_id for recipient, _, _, _ in rows}
    query = select(Contact).where(Contact.id.in_(contact_ids))
    texts = ledger.pending_texts(
        {campaign.id: campaign for _, _, campaign, _ in rows},
        [recipient for recipient, _, _, _ in rows],
        {contact.id: contact for contact in db.session.scalars(query)},
        {recipient.id: entry for recipient, entry, _, _ in rows if entry is not None},
    )
    return {recipient_id: values["text"] for recipient_id, values in texts.items()}


def _message(
    recipient: CampaignRecipient,
    entry: CampaignMessage | None,
    campaign: Campaign,
    external_id: str | None,
    points: Mapping[int, str],
    identities: Mapping[int, Identity],
    texts: Mapping[int, str],
) -> dict[str, Any]:
    identity = identities.get(recipient.identity_id or 0)
    status = _status(recipient, entry)
    error = f"{recipient.reason}: {states.reason_text(recipient.reason, 'en')}" if status == "failed" else None
    return {
        "id": _id_of(recipient, entry),
        "campaign_id": campaign.id,
        "contact_id": recipient.contact_id,
        "integration_id": campaign.sender_id,
        "phone_number": points.get(recipient.contact_id),
        "telegram_user_id": None if identity is None else identity.external_id,
        "telegram_username": None if identity is None else identity.username,
        "message_text": texts.get(recipient.id, None if entry is None else entry.rendered_text),
        "message_id": external_id,
        "status": status,
        "error_message": error,
        "sent_at": None if entry is None else entry.sent_at,
        "created_at": recipient.updated_at if entry is None else entry.created_at,
    }


def _id_of(recipient: CampaignRecipient, entry: CampaignMessage | None) -> int:
    """The id of a person's step, before it is stored as a message and after."""
    return recipient.id * (steps.MAX_STEPS + 1) + (recipient.step if entry is None else entry.step)


def _status(recipient: CampaignRecipient, entry: CampaignMessage | None) -> str:
    if entry is not None and entry.state in ("sent", "sending", "unknown"):
        return "sent" if entry.state == "sent" else "pending"
    return {"failed": "failed", "skipped": "no_telegram"}.get(recipient.state, "pending")
