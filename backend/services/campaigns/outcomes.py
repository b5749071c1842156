"""What became of a campaign's message moves its recipient, in the transaction that records it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from backend.core import clock, events, failpoints
from backend.core.database import db, workspace_scope
from backend.models import Attempt, Campaign, CampaignMessage, CampaignRecipient, CampaignStep, Message
from backend.services import live
from backend.services.campaigns import outgoing, records, safety, states, wakening
from backend.services.campaigns.planner import follow_up_due
from backend.services.delivery import campaign_ceilings
from backend.services.delivery.events import MessageEnded, MessageSent


def on_message_sent(event: MessageSent) -> None:
    """A message was accepted; runs in the system scope."""
    entry = _entry_of(event.message_id)
    if entry is None:
        return
    with workspace_scope(entry.workspace_id):
        message = db.session.get(Message, event.message_id, populate_existing=True)
        recipient = _lock(entry)
        if recipient is None:
            return
        note_sent(entry, recipient, (message.sent_at if message is not None else None) or clock.now())
        _settled(entry, recipient)


def on_message_ended(event: MessageEnded) -> None:
    """A message ended as `failed`, `canceled` or `unknown`; runs in the system scope."""
    entry = _entry_of(event.message_id)
    if entry is None:
        return
    with workspace_scope(entry.workspace_id):
        recipient = _lock(entry)
        if recipient is None:
            return
        state = event.state
        if state != "unknown" and _may_have_been_sent(event.message_id):
            state = "unknown"
        entry.state, entry.code = state, event.code
        if recipient.state == "sending":
            _move(recipient, state, event.code)
        _settled(entry, recipient)


def note_sent(entry: CampaignMessage, recipient: CampaignRecipient, sent_at: datetime) -> None:
    """Notes that a step was sent then (aware); the next one is due as long after it as its delay says."""
    entry.state, entry.code, entry.sent_at = "sent", None, sent_at
    recipient.messages_sent += 1
    recipient.last_sent_at = recipient.updated_at = sent_at
    if recipient.state not in ("sending", "unknown"):
        return
    following = db.session.scalar(
        select(CampaignStep).where(
            CampaignStep.campaign_id == entry.campaign_id, CampaignStep.position == entry.step + 1
        )
    )
    if following is None:
        outgoing.end(recipient, "finished" if entry.step > 1 else "sent", "done" if entry.step > 1 else "accepted")
        return
    campaign_state = db.session.scalar(select(Campaign.state).where(Campaign.id == entry.campaign_id))
    if campaign_state in (states.CANCELED, states.FINISHED):
        outgoing.end(recipient, "sent", "campaign_canceled" if campaign_state == states.CANCELED else "accepted")
        return
    recipient.state, recipient.reason, recipient.step = "sent", "previous_step", entry.step + 1
    recipient.due_at = follow_up_due(sent_at, following.delay_days)
    recipient.planned_at = recipient.ended_at = None


def _move(recipient: CampaignRecipient, state: str, code: str) -> None:
    """A message of the recipient ended unsent."""
    if state == "unknown":
        outgoing.end(recipient, "unknown", "outcome_unknown")
    elif state == "failed" and code not in states.ACCOUNT_CODES:
        outgoing.end(recipient, *states.outcome_of(code))
    elif code == "campaign_canceled":
        outgoing.end(recipient, "canceled", code)
    elif code == "suppressed":
        state, reason = ("stopped", "opted_out") if recipient.messages_sent else ("skipped", "suppressed")
        outgoing.end(recipient, state, reason)
    elif code in states.BLOCKS:
        outgoing.end(recipient, *states.outcome_of(code))
    else:
        # Taken back before it began: planned again.
        recipient.state, recipient.reason = ("waiting", "queued") if recipient.step == 1 else ("sent", "previous_step")
        recipient.planned_at = None
        recipient.updated_at = clock.now()


def _settled(entry: CampaignMessage, recipient: CampaignRecipient) -> None:
    db.session.flush()
    failpoints.hit("campaign.outcome_not_committed")
    live.note(entry.workspace_id, records.TOPIC, campaign_id=entry.campaign_id, recipient_id=recipient.id)
    safety.check(entry.campaign_id)
    if entry.sender_id is not None:
        wakening.wake_account(entry.sender_id)


def _may_have_been_sent(message_id: int) -> bool:
    """Whether a try of the message has an outcome that nobody knows: more began than were refused."""
    began = func.count(Attempt.id).filter(Attempt.phase == "started")
    refused = func.count(Attempt.id).filter(Attempt.phase.not_in(("started", "unknown")))
    row = db.session.execute(
        select(began, refused).where(Attempt.message_id == message_id, Attempt.operation == "send")
    ).one()
    return bool(row[0] > row[1])


def _entry_of(message_id: int) -> CampaignMessage | None:
    message = db.session.get(Message, message_id)
    if message is None or message.kind != campaign_ceilings.KIND:
        return None
    return db.session.scalar(select(CampaignMessage).where(CampaignMessage.message_id == message_id))


def _lock(entry: CampaignMessage) -> CampaignRecipient | None:
    return db.session.get(CampaignRecipient, entry.recipient_id, with_for_update=True, populate_existing=True)


events.subscribe(MessageSent, on_message_sent)
events.subscribe(MessageEnded, on_message_ended)
