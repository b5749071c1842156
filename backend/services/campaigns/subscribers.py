"""What campaigns do when something happens to an account, a look-up or a conversation that was read."""

from __future__ import annotations

from sqlalchemy import select

from backend.core import clock, events
from backend.core.database import db, workspace_scope
from backend.models import CampaignMessage, CampaignRecipient, Conversation, MessagePart
from backend.services import live
from backend.services.accounts.events import AccountStateChanged, LookupFinished
from backend.services.campaigns import discovery, records, wakening
from backend.services.conversations.events import ReadUpTo


def on_read_up_to(event: ReadUpTo) -> None:
    """The other side has read: recipients whose last message is among it are noted as having read it.

    The moment is exact for the very message of which the provider told it; else it is when it was heard of.
    """
    conversation = db.session.get(Conversation, event.conversation_id)
    if conversation is None:
        return
    with workspace_scope(conversation.workspace_id):
        rows = db.session.execute(
            select(CampaignRecipient, MessagePart.external_id)
            .join(CampaignMessage, CampaignMessage.recipient_id == CampaignRecipient.id)
            .join(MessagePart, MessagePart.message_id == CampaignMessage.message_id)
            .where(CampaignRecipient.conversation_id == conversation.id, CampaignRecipient.read_at.is_(None))
        ).all()
        for recipient, external_id in rows:
            if int(external_id) <= int(event.external_id):
                is_exact = event.read_at is not None and int(external_id) == int(event.external_id)
                recipient.read_at = event.read_at or clock.now()
                recipient.read_at_exact = is_exact
                live.note(
                    recipient.workspace_id,
                    records.TOPIC,
                    campaign_id=recipient.campaign_id,
                    recipient_id=recipient.id,
                )
        db.session.flush()


def on_account_state_changed(event: AccountStateChanged) -> None:
    """An account may or may not speak in campaigns now: its campaigns have a turn."""
    with workspace_scope(event.workspace_id):
        wakening.wake_account(event.sender_id)


events.subscribe(ReadUpTo, on_read_up_to)
events.subscribe(AccountStateChanged, on_account_state_changed)
events.subscribe(LookupFinished, discovery.on_lookup_finished)
