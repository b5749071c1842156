"""The ledger of a campaign: every recipient with state, reason, plan and text, by the page, as CSV, and tried again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict, Invalid
from backend.models import Account, Campaign, CampaignMessage, CampaignRecipient, CampaignStep, Contact
from backend.services import paging
from backend.services.auth import audit
from backend.services.auth.actor import Actor
from backend.services.campaigns import by_bot, locking, outcomes, outgoing, records, rendering, states, steps, wakening
from backend.services.campaigns.rendering import Order

MAX_CSV: Final = 100_000
_COLUMNS: Final = (
    "contact_id", "first_name", "last_name", "state", "reason", "reason_text", "step", "variant", "planned_at",
    "sent_at", "read_at", "text",
)  # fmt: skip


def page(
    campaign: Campaign,
    locale: str,
    *,
    state: str | None = None,
    reason: str | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of recipients, in the order of the audience, with what is known of each: a fixed number of statements."""
    query = _query(campaign.id, state, reason)
    rows, following = paging.page(query, CampaignRecipient.place, cursor=cursor, limit=limit, descending=False)
    return describe(campaign, rows, locale), following


def describe(campaign: Campaign, rows: Sequence[CampaignRecipient], locale: str) -> list[dict[str, Any]]:
    """What the API says of these recipients, in their order."""
    ids = [row.id for row in rows]
    messages: dict[int, CampaignMessage] = {}
    query = select(CampaignMessage).where(CampaignMessage.recipient_id.in_(ids)).order_by(CampaignMessage.step)
    for message in db.session.scalars(query):
        messages[message.recipient_id] = message
    contacts = {
        contact.id: contact
        for contact in db.session.scalars(select(Contact).where(Contact.id.in_([row.contact_id for row in rows])))
    }
    hold = hold_reason(campaign)
    of_campaign = steps.of(campaign.id)
    drafts = pending_texts({campaign.id: campaign}, rows, contacts, messages)
    chats = by_bot.chats_of(rows)
    return [
        _row(row, campaign, contacts, messages.get(row.id), hold, of_campaign, locale)
        | {"bot_conversation_id": chats.get(row.id)}
        | drafts.get(row.id, {})
        for row in rows
    ]


def pending_texts(
    campaigns: Mapping[int, Campaign],
    rows: Sequence[CampaignRecipient],
    contacts: Mapping[int, Contact],
    messages: Mapping[int, CampaignMessage],
) -> dict[int, dict[str, Any]]:
    """`text` as each who waits for the first message would get it now, by the recipient's id; others are left out."""
    of_campaigns = steps.of_many(list(campaigns))
    orders: dict[int, Order] = {}
    for row in rows:
        message, contact = messages.get(row.id), contacts.get(row.contact_id)
        of_campaign = of_campaigns[row.campaign_id]
        is_next = row.state == "waiting" and (message is None or message.state == "canceled")
        if is_next and contact is not None and row.step <= len(of_campaign):
            campaign = campaigns[row.campaign_id]
            variant = row.variant or steps.draw_variant(campaign, row.contact_id, of_campaign)
            orders[row.id] = Order(campaign, of_campaign[row.step - 1], variant, contact)
    texts = rendering.render_all(list(orders.values()))
    return {row_id: {"text": rendered.shown} for row_id, rendered in zip(orders, texts, strict=True)}


def counts(campaign_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """How many recipients of these campaigns are in which state."""
    query = (
        select(CampaignRecipient.campaign_id, CampaignRecipient.state, func.count())
        .where(CampaignRecipient.campaign_id.in_(campaign_ids))
        .group_by(CampaignRecipient.campaign_id, CampaignRecipient.state)
    )
    counted: dict[int, dict[str, int]] = {campaign_id: {} for campaign_id in campaign_ids}
    for campaign_id, state, many in db.session.execute(query):
        counted[campaign_id][state] = many
    return counted


def hold_reason(campaign: Campaign) -> str | None:
    """Why nobody of the campaign gets anything now: the campaign's or the account's state; None where somebody may."""
    if campaign.state == states.PAUSED:
        return "paused"
    account = db.session.scalar(select(Account).where(Account.sender_id == campaign.sender_id))
    if account is None or campaign.state != states.RUNNING:
        return None
    if account.state == "needs_login":
        return "account_needs_login"
    if account.state == "frozen":
        return "account_frozen"
    now = clock.now()
    if account.campaigns_pause_reason is not None:
        until = account.campaigns_paused_until
        if until is not None and until > now:
            return "flood_wait"
        return None if until is not None else "account_limited"
    if account.state == "limited":
        return "account_limited"
    return "catching_up" if account.caught_up_at is None else None


def csv_lines(campaign: Campaign, locale: str) -> Iterator[str]:
    """The ledger as CSV, a block of lines at a time; what begins like a formula gets an apostrophe."""
    yield _line(_COLUMNS)
    cursor: str | None = None
    while True:
        rows, cursor = page(campaign, locale, cursor=cursor, limit=paging.MAX_LIMIT)
        yield "".join(_line([_cell(row[name]) for name in _COLUMNS]) for row in rows)
        if cursor is None:
            return


def retry(actor: Actor, campaign_id: int, recipient_ids: Sequence[int] | None) -> int:
    """Lets recipients wait again who failed or were left out for something that may have changed; returns how many.

    Without ids, all of them. Raises Conflict (campaign_state).
    """
    which = [CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.state.in_(("failed", "skipped"))]
    if recipient_ids is not None:
        which.append(CampaignRecipient.id.in_(recipient_ids))
    rows = locking.recipients(*which)
    campaign = records.get(campaign_id, lock=True)
    if campaign.state in (states.DRAFT, states.SCHEDULED, states.CANCELED):
        raise records.wrong_state(campaign)
    records.require_sender(actor, campaign)
    now, retried = clock.now(), 0
    for row in rows:
        if (row.state, row.reason) not in states.RETRYABLE:
            continue
        row.state, row.reason = ("waiting", "queued") if row.step == 1 else ("sent", "previous_step")
        row.ended_at, row.due_at, row.updated_at = None, now, now
        retried += 1
    if retried and campaign.state == states.FINISHED:
        campaign.state, campaign.ended_at = states.RUNNING, None
    _settle(actor, campaign, "campaign.retried", retried=retried)
    return retried


def resolve(actor: Actor, campaign_id: int, recipient_id: int, outcome: str) -> CampaignRecipient:
    """Says for one whose outcome is unknown that the message arrived (`sent`) or did not (`not_sent`: it goes again).

    Raises Conflict (campaign_state) for one whose outcome is known.
    """
    campaign, row = records.recipient(campaign_id, recipient_id)
    records.require_sender(actor, campaign)
    entry = db.session.scalar(
        select(CampaignMessage).where(CampaignMessage.recipient_id == row.id, CampaignMessage.step == row.step)
    )
    if row.state != "unknown" or entry is None:
        raise Conflict("campaign_state", "The outcome is known.", detail={"state": row.state})
    now = clock.now()
    if outcome == "sent":
        row.ended_at = None
        outcomes.note_sent(entry, row, entry.planned_at)
    else:
        entry.state, entry.code = "canceled", "operator"
        row.state, row.reason = ("waiting", "queued") if row.step == 1 else ("sent", "previous_step")
        row.ended_at, row.due_at, row.updated_at = None, now, now
    if row.ended_at is None and campaign.state == states.FINISHED:
        campaign.state, campaign.ended_at = states.RUNNING, None
    _settle(actor, campaign, "campaign.outcome_resolved", recipient_id=row.id, outcome=outcome)
    return row


def take_out(actor: Actor, campaign_id: int, recipient_id: int) -> None:
    """Takes a person out of a campaign; one who ended stays as they are."""
    campaign, row = records.recipient(campaign_id, recipient_id)
    if row.ended_at is None and row.state in states.PENDING:
        outgoing.end(row, "canceled", "taken_out")
    _settle(actor, campaign, "campaign.recipient_taken_out", recipient_id=row.id)


def _settle(actor: Actor, campaign: Campaign, action: str, **detail: Any) -> None:
    db.session.flush()
    wakening.wake_campaigns({campaign.id})
    audit.record(actor.by, action, f"campaign:{campaign.id}", **detail)


def _query(campaign_id: int, state: str | None, reason: str | None) -> Select[Any]:
    query = select(CampaignRecipient).where(CampaignRecipient.campaign_id == campaign_id)
    if state is not None:
        if state not in states.RECIPIENT_STATES:
            raise Invalid.of("state", "unknown_state", f"One of {', '.join(states.RECIPIENT_STATES)}.")
        query = query.where(CampaignRecipient.state == state)
    return query if reason is None else query.where(CampaignRecipient.reason == reason)


def _row(
    row: CampaignRecipient,
    campaign: Campaign,
    contacts: Mapping[int, Contact],
    message: CampaignMessage | None,
    hold: str | None,
    of_campaign: Sequence[CampaignStep],
    locale: str,
) -> dict[str, Any]:
    contact = contacts.get(row.contact_id)
    reason = hold if hold is not None and row.state in states.PENDING and row.ended_at is None else row.reason
    return {
        "id": row.id,
        "contact_id": row.contact_id,
        "first_name": None if contact is None else contact.first_name,
        "last_name": None if contact is None else contact.last_name,
        "conversation_id": row.conversation_id,
        "state": row.state,
        "reason": reason,
        "reason_text": states.reason_text(reason, locale),
        "step": row.step,
        "variant": row.variant or steps.draw_variant(campaign, row.contact_id, of_campaign),
        "step_version": None if message is None else message.step_version,
        "text": None if message is None else message.rendered_text,
        "message_state": None if message is None else message.state,
        "planned_at": row.planned_at,
        "next_attempt_at": _next_attempt(row, hold),
        "zone_guessed": row.zones_guessed,
        "sent_at": row.last_sent_at,
        "read_at": row.read_at,
        "read_at_exact": row.read_at_exact,
        "asks_operator": row.asks_operator,
        "ended_at": row.ended_at,
    }


def _next_attempt(row: CampaignRecipient, hold: str | None) -> datetime | None:
    """When it is tried next: nobody knows while something else has to happen first."""
    if row.ended_at is not None or hold is not None:
        return None
    return row.planned_at


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
