"""Giving a step to the outbox: whether the recipient may be written to is checked again, the text filled in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from backend.channels.inbound import Chat, Person
from backend.core import clock
from backend.core.database import db
from backend.models import (
    Account,
    Campaign,
    CampaignMessage,
    CampaignRecipient,
    CampaignStep,
    Contact,
    Conversation,
    Identity,
    Sender,
)
from backend.services import conversations, delivery, live
from backend.services.campaigns import discovery, eligibility, records, rendering, sketch, states, steps, windows
from backend.services.campaigns.planner import LeftOut, Planned
from backend.services.contacts import settings
from backend.services.delivery import Priority, campaign_ceilings

LIFE: Final = timedelta(hours=1)
"""What could not begin within this time, or before the window closes, is taken back and planned again."""
_UNDER_WAY: Final = {"no_consent", "suppressed", "opted_out"}
_ONLY_AT_FIRST: Final = {"in_conversation", "in_other_campaign", "missing_field", "no_telegram"}
"""Reasons against a first message that are none against a follow-up in the same conversation."""


def release(account: Account, campaign: Campaign, item: Planned) -> bool:
    """Stores the message of a planned step, due at its moment; False where the recipient gets nothing now."""
    recipient = _lock(item.candidate.recipient_id)
    if recipient is None or recipient.state not in states.PENDING or recipient.step != item.candidate.step:
        return False
    contact = db.session.get(Contact, recipient.contact_id)
    of_campaign = steps.of(campaign.id)
    if contact is None or recipient.step > len(of_campaign):
        return False
    if not _may_be_written_to(account, campaign, recipient):
        return False
    conversation = _conversation(account, recipient)
    if conversation is None:
        return False
    step = of_campaign[recipient.step - 1]
    if recipient.variant is None:
        recipient.variant = steps.draw_variant(campaign, contact.id, of_campaign)
    rendered = rendering.render(campaign, step, recipient.variant, contact)
    if rendered.missing:
        discovery.skip(recipient, "missing_field")
        db.session.flush()
        return False
    _store(campaign, recipient, step, conversation, rendered, item)
    return True


def leave_out(item: LeftOut) -> None:
    """Ends a recipient whose step comes too late; one whose hours never come is planned by a guess."""
    recipient = _lock(item.candidate.recipient_id)
    if recipient is None or recipient.state not in states.PENDING:
        return
    if item.reason == "too_late":
        discovery.skip(recipient, "too_late")
    elif item.reason == "never_open":
        recipient.hours_key, recipient.zones_guessed = "UTC", True
    db.session.flush()


def _lock(recipient_id: int) -> CampaignRecipient | None:
    return db.session.get(CampaignRecipient, recipient_id, with_for_update=True, populate_existing=True)


def _may_be_written_to(account: Account, campaign: Campaign, recipient: CampaignRecipient) -> bool:
    """Whether nothing has come up since the launch; what has is noted."""
    terms = sketch.terms_of(campaign, account)
    verdict = next(iter(eligibility.verdicts(terms, [recipient.contact_id])), None)
    reason = "contact_erased" if verdict is None else verdict.reason
    if recipient.step > 1 and reason in _ONLY_AT_FIRST:
        reason = None
    if reason is not None:
        if recipient.step > 1 and reason in _UNDER_WAY:
            end(recipient, "stopped", "opted_out")
        else:
            discovery.skip(recipient, reason)
        db.session.flush()
        return False
    if recipient.step > 1:
        return True
    heard_at, quiet = _heard_of_another(campaign, recipient), timedelta(days=settings.get().quiet_days)
    if heard_at is not None and heard_at + quiet > clock.now():
        recipient.due_at, recipient.reason = heard_at + quiet, "recently_contacted"
        recipient.planned_at = None
        db.session.flush()
        return False
    return True


def end_broken(recipient_id: int) -> None:
    """Ends a recipient whose message could not be made, for a reason that only the log knows."""
    recipient = _lock(recipient_id)
    if recipient is not None and recipient.state in states.PENDING:
        end(recipient, "failed", "internal_error")
        db.session.flush()


def end(recipient: CampaignRecipient, state: str, reason: str) -> None:
    """Ends a recipient in this state, for this reason."""
    now = clock.now()
    recipient.state, recipient.reason, recipient.ended_at, recipient.updated_at = state, reason, now, now
    recipient.planned_at = None


def _heard_of_another(campaign: Campaign, recipient: CampaignRecipient) -> datetime | None:
    """When the person last got a message of another campaign of the workspace."""
    moment: datetime | None = db.session.scalar(
        select(func.max(CampaignMessage.sent_at))
        .join(CampaignRecipient, CampaignRecipient.id == CampaignMessage.recipient_id)
        .where(CampaignRecipient.contact_id == recipient.contact_id, CampaignRecipient.campaign_id != campaign.id)
    )
    return moment


def _conversation(account: Account, recipient: CampaignRecipient) -> Conversation | None:
    """The account's conversation with the person; None where nothing goes there, which is noted."""
    if recipient.conversation_id is not None:
        conversation = db.session.get(Conversation, recipient.conversation_id)
        if conversation is not None and conversation.sender_id == account.sender_id:
            return _unless_blocked(conversation, recipient)
    identity = None if recipient.identity_id is None else db.session.get(Identity, recipient.identity_id)
    sender = db.session.get(Sender, account.sender_id)
    if identity is None or sender is None:
        return None
    person = Person(identity.external_id, identity.display_name or "", identity.username, identity.locale)
    chat = Chat(identity.external_id, "private", username=identity.username, name=identity.display_name)
    conversation = conversations.find_or_create(sender, chat, workspace_id=recipient.workspace_id, person=person)
    recipient.conversation_id = conversation.id
    return _unless_blocked(conversation, recipient)


def _unless_blocked(conversation: Conversation, recipient: CampaignRecipient) -> Conversation | None:
    if conversation.blocked_code is None:
        return conversation
    end(recipient, *states.outcome_of(conversation.blocked_code))
    db.session.flush()
    return None


def _store(
    campaign: Campaign,
    recipient: CampaignRecipient,
    step: CampaignStep,
    conversation: Conversation,
    rendered: rendering.Rendered,
    item: Planned,
) -> None:
    now = clock.now()
    due_at = max(now, item.at)
    entry = db.session.scalar(
        select(CampaignMessage).where(
            CampaignMessage.recipient_id == recipient.id, CampaignMessage.step == recipient.step
        )
    )
    if entry is None:
        entry = CampaignMessage(
            workspace_id=campaign.workspace_id,
            campaign_id=campaign.id,
            recipient_id=recipient.id,
            step=recipient.step,
            tries=0,
            created_at=now,
        )
    elif entry.state != "canceled" and entry.state != "failed":
        raise RuntimeError("a step that was given to the outbox is given again")
    entry.tries += 1
    closing = windows.closing(item.candidate.hours, due_at)
    message = delivery.send(
        conversation,
        rendered.content,
        kind=campaign_ceilings.KIND,
        lane=Priority.BULK,
        key=f"campaign:{recipient.id}:{recipient.step}:{entry.tries}",
        not_before=item.at,
        at_most_once=True,
        expires_in=LIFE if closing is None else min(LIFE, closing - due_at),
    )
    entry.sender_id, entry.message_id = conversation.sender_id, message.id
    entry.step_version, entry.variant, entry.rendered_text = step.version, recipient.variant, rendered.shown
    entry.state, entry.code, entry.planned_at = "sending", None, item.at
    db.session.add(entry)
    recipient.state, recipient.reason, recipient.planned_at = "sending", "under_way", item.at
    recipient.updated_at = now
    db.session.flush()
    live.note(campaign.workspace_id, records.TOPIC, campaign_id=campaign.id, recipient_id=recipient.id)
