"""Reaching a recipient by the workspace's bot instead of the account, where the person has opened it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select, union_all

from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Invalid
from backend.models import CampaignRecipient, Contact, ContactPoint, Conversation, Identity, Message, Sender
from backend.services import delivery
from backend.services.accounts import access
from backend.services.auth import audit
from backend.services.auth.actor import Actor
from backend.services.campaigns import (
    eligibility,
    outgoing,
    records,
    rendering,
    sketch,
    states,
    steps,
    wakening,
)

CHANNEL: Final = "telegram_bot"
KIND: Final = "campaign_by_bot"
_AGAINST: Final = frozenset({"suppressed", "opted_out", "no_consent", "contact_erased"})
"""Reasons for which nobody writes to a person, by whatever way."""
_ENDED: Final = ("failed", "skipped")


def chats_of(rows: Sequence[CampaignRecipient]) -> dict[int, int]:
    """By a recipient's id, the conversation with a bot in which the person can be written to: one statement."""
    ids = [row.id for row in rows]
    if not ids:
        return {}
    row = CampaignRecipient
    by_identity = select(row.id, row.workspace_id, row.identity_id.label("identity_id")).where(row.id.in_(ids))
    by_point = (
        select(row.id, row.workspace_id, Identity.id.label("identity_id"))
        .join(ContactPoint, (ContactPoint.contact_id == row.contact_id) & (ContactPoint.kind == "telegram_user"))
        .join(
            Identity,
            (Identity.workspace_id == row.workspace_id) & (Identity.external_hash == ContactPoint.value_hash),
        )
        .where(row.id.in_(ids))
    )
    known = union_all(by_identity.where(row.identity_id.is_not(None)), by_point).subquery()
    query = (
        select(known.c.id, func.min(Conversation.id))
        .join(
            Conversation,
            (Conversation.identity_id == known.c.identity_id) & (Conversation.workspace_id == known.c.workspace_id),
        )
        .join(Sender, Sender.id == Conversation.sender_id)
        .where(Conversation.channel == CHANNEL, Conversation.kind == "private", Conversation.blocked_code.is_(None))
        .where(Sender.is_active.is_(True))
        .group_by(known.c.id)
    )
    with system_scope("the recipients name their workspace"):
        return {row[0]: row[1] for row in db.session.execute(query)}


def reach(actor: Actor, campaign_id: int, recipient_id: int) -> CampaignRecipient:
    """Sends the step that is next by the bot, which ends the campaign for this person.

    Raises NotFound, Forbidden, Conflict (campaign_state, no_bot_chat), and Invalid (missing_fields, or why nobody may
    write to the person).
    """
    campaign, row = records.recipient(campaign_id, recipient_id)
    records.require_sender(actor, campaign)
    may_be_reached = (row.ended_at is None and row.state in states.PENDING) or row.state in _ENDED
    if campaign.launched_at is None or not may_be_reached:
        raise Conflict("campaign_state", "This person cannot be reached now.", detail={"state": row.state})
    conversation_id = chats_of([row]).get(row.id)
    conversation = None if conversation_id is None else db.session.get(Conversation, conversation_id)
    contact = db.session.get(Contact, row.contact_id)
    if conversation is None or contact is None:
        raise Conflict("no_bot_chat", "This person has not opened a bot of the workspace, or has blocked it.")
    account = None if campaign.sender_id is None else access.of_sender(campaign.sender_id)
    verdict = next(iter(eligibility.verdicts(sketch.terms_of(campaign, account), [contact.id])), None)
    if verdict is None or verdict.reason in _AGAINST:
        reason = "contact_erased" if verdict is None else str(verdict.reason)
        raise Invalid(reason, states.reason_text(reason, "en"))
    _send(actor, conversation, row, contact)
    outgoing.end(row, "finished", "by_bot")
    db.session.flush()
    wakening.wake_campaigns({campaign.id})
    audit.record(actor.by, "campaign.reached_by_bot", f"campaign:{campaign.id}", recipient_id=row.id)
    return row


def _send(actor: Actor, conversation: Conversation, row: CampaignRecipient, contact: Contact) -> Message:
    campaign, of_campaign = records.get(row.campaign_id), steps.of(row.campaign_id)
    step = of_campaign[min(row.step, len(of_campaign)) - 1]
    variant = row.variant or steps.draw_variant(campaign, contact.id, of_campaign)
    rendered = rendering.render(campaign, step, variant, contact)
    if rendered.missing:
        detail = {"missing": list(rendered.missing)}
        raise Invalid("missing_fields", "This contact has no value for some fields.", detail=detail)
    return delivery.send(
        conversation,
        rendered.content,
        kind=KIND,
        key=f"campaign:{row.id}:{row.step}:bot",
        via="campaign",
        author_user_id=actor.user_id,
    )
