"""The stop rule: a person who answers, reacts, calls or objects gets nothing more, nor one whom the operator wrote to.

It holds for the person, in every campaign of the workspace. It runs in the transaction that stores what came in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import BigInteger, bindparam, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core import events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import CampaignMessage, CampaignRecipient, ContactPoint, Conversation, Identity, Message
from backend.services import delivery, live
from backend.services.auth import attribution
from backend.services.campaigns import locking, opt_out, outgoing, records, safety, wakening
from backend.services.contacts import suppressions
from backend.services.contacts.events import ContactOptedOut
from backend.services.conversations.events import (
    ContactCalled,
    ContactReacted,
    ContactsWrote,
    ContactWrote,
    MessagesDeleted,
    OperatorWrote,
)

AUTOMATIC_DELAY: Final = timedelta(days=1)
"""How much later a follow-up comes after an away message."""
_AFTERWARDS: Final = {"sent": ("accepted", "campaign_canceled"), "finished": ("done",)}


def on_contact_wrote(event: ContactWrote) -> None:
    """Somebody wrote: an answer, an objection, or an away message."""
    conversation = _conversation(event.conversation_id)
    if conversation is None:
        return
    with workspace_scope(conversation.workspace_id):
        people = _people(conversation)
        if not people:
            return
        meaning = opt_out.meaning_of(event.text)
        if meaning == "opt_out":
            object_to(people, conversation)
        elif event.is_automatic:
            _put_off(people)
        else:
            stop(people, "replied", "replied", asks=meaning == "ambiguous")


def on_contacts_wrote(event: ContactsWrote) -> None:
    """Many wrote at once: the rule is asked for those only who are in a campaign."""
    values = {"conversations": sorted({wrote.conversation_id for wrote in event.messages})}
    with system_scope("a batch holds messages of several workspaces"):
        concerned = set(db.session.execute(_CONCERNED, values).scalars())
    for wrote in event.messages:
        if wrote.conversation_id in concerned:
            on_contact_wrote(wrote)


_CONCERNED: Final = text(
    """
    SELECT c.id FROM conversations c JOIN identities i ON i.id = c.identity_id
     WHERE c.id = ANY(:conversations)
       AND (EXISTS (SELECT FROM campaign_recipients r WHERE r.conversation_id = c.id)
         OR EXISTS (SELECT FROM campaign_recipients r WHERE r.identity_id = i.id)
         OR EXISTS (SELECT FROM contact_points p JOIN campaign_recipients r ON r.contact_id = p.contact_id
                     WHERE p.workspace_id = i.workspace_id AND p.value_hash = i.external_hash)
         OR EXISTS (SELECT FROM campaign_recipients r WHERE r.contact_id = i.contact_id))
    """
).bindparams(bindparam("conversations", type_=ARRAY(BigInteger)))


def on_contact_reacted(event: ContactReacted) -> None:
    """Somebody reacted to a message."""
    _stop_in(event.conversation_id, "stopped", "reacted")


def on_contact_called(event: ContactCalled) -> None:
    """Somebody called."""
    _stop_in(event.conversation_id, "replied", "replied")


def on_operator_wrote(event: OperatorWrote) -> None:
    """The account's owner wrote from their own device."""
    _stop_in(event.conversation_id, "stopped", "taken_over")


def on_messages_deleted(event: MessagesDeleted) -> None:
    """Messages were taken back: one that a campaign sent ends it for the person."""
    conversation = _conversation(event.conversation_id)
    if conversation is None:
        return
    with workspace_scope(conversation.workspace_id):
        ours = select(CampaignMessage.id).where(CampaignMessage.message_id.in_(event.message_ids))
        if db.session.execute(ours.limit(1)).first() is not None:
            stop(_people(conversation), "stopped", "conversation_deleted")


def on_contact_opted_out(event: ContactOptedOut) -> None:
    """Somebody used the unsubscribe link."""
    with workspace_scope(event.workspace_id):
        stop(locking.recipients(CampaignRecipient.contact_id == event.contact_id), "stopped", "opted_out")


def object_to(people: Sequence[CampaignRecipient], conversation: Conversation) -> None:
    """Suppresses who objected, under everything they are known by, and ends what waits for them."""
    for contact_id in sorted({recipient.contact_id for recipient in people}):
        points = select(ContactPoint.id).where(ContactPoint.contact_id == contact_id).limit(1)
        if db.session.execute(points).first() is not None:
            suppressions.suppress_contact(attribution.TELEGRAM, contact_id, code="opted_out", source="person")
    if conversation.identity_id is not None:
        identity = db.session.get(Identity, conversation.identity_id)
        if identity is not None:
            suppressions.add([("telegram_user", identity.external_hash)], attribution.TELEGRAM, "opted_out", "person")
    stop(people, "stopped", "opted_out")


def stop(people: Sequence[CampaignRecipient], state: str, reason: str, *, asks: bool = False) -> None:
    """Ends these recipients where something may still go to them, or they just got the last there was.

    A message that is under way goes where it goes; one that waits is taken back.
    """
    campaigns: set[int] = set()
    for recipient in people:
        if not _moves(recipient, reason):
            continue
        was_under_way = recipient.state == "sending"
        outgoing.end(recipient, state, reason)
        recipient.asks_operator = asks
        campaigns.add(recipient.campaign_id)
        live.note(recipient.workspace_id, records.TOPIC, campaign_id=recipient.campaign_id, recipient_id=recipient.id)
        if was_under_way:
            _take_back(recipient.id, reason)
    db.session.flush()
    for campaign_id in sorted(campaigns):
        safety.check(campaign_id)
    if campaigns:
        wakening.wake_campaigns(campaigns)


def _moves(recipient: CampaignRecipient, reason: str) -> bool:
    """Whether a recipient is moved: one who waits, and one who answers or objects after the last step."""
    if recipient.ended_at is None:
        return True
    if reason == "opted_out" and recipient.state == "replied":
        return True
    is_over = recipient.reason in _AFTERWARDS.get(recipient.state, ())
    return is_over and reason in ("replied", "reacted", "opted_out")


def _take_back(recipient_id: int, code: str) -> None:
    query = (
        select(Message)
        .join(CampaignMessage, CampaignMessage.message_id == Message.id)
        .where(CampaignMessage.recipient_id == recipient_id, CampaignMessage.state == "sending")
    )
    for message in db.session.scalars(query).all():
        delivery.cancel(message, code)


def _stop_in(conversation_id: int, state: str, reason: str) -> None:
    conversation = _conversation(conversation_id)
    if conversation is not None:
        with workspace_scope(conversation.workspace_id):
            stop(_people(conversation), state, reason)


def _put_off(people: Sequence[CampaignRecipient]) -> None:
    """An away message is no answer: the follow-up comes a day later."""
    for recipient in people:
        if recipient.ended_at is None and recipient.step > 1 and recipient.state == "sent":
            recipient.due_at += AUTOMATIC_DELAY
            recipient.planned_at = None
    db.session.flush()


def _conversation(conversation_id: int) -> Conversation | None:
    return db.session.get(Conversation, conversation_id)


def _people(conversation: Conversation) -> Sequence[CampaignRecipient]:
    """The recipients of all campaigns who are the person of this conversation, by any identity of theirs; locked."""
    contacts = _contacts(conversation)
    mine = [CampaignRecipient.conversation_id == conversation.id]
    if conversation.identity_id is not None:
        mine.append(CampaignRecipient.identity_id == conversation.identity_id)
    if contacts:
        mine.append(CampaignRecipient.contact_id.in_(contacts))
    return locking.recipients(or_(*mine))


def _contacts(conversation: Conversation) -> Collection[int]:
    """The contacts who are the person of a conversation: by the id of their account, or as a campaign found them."""
    if conversation.identity_id is None:
        return ()
    identity = db.session.get(Identity, conversation.identity_id)
    if identity is None:
        return ()
    by_point = select(ContactPoint.contact_id).where(ContactPoint.value_hash == identity.external_hash)
    by_campaign = select(CampaignRecipient.contact_id).where(CampaignRecipient.identity_id == identity.id)
    known = set() if identity.contact_id is None else {identity.contact_id}
    return {*known, *db.session.scalars(by_point), *db.session.scalars(by_campaign)}


events.subscribe(ContactWrote, on_contact_wrote)
events.subscribe(ContactsWrote, on_contacts_wrote)
events.subscribe(ContactReacted, on_contact_reacted)
events.subscribe(ContactCalled, on_contact_called)
events.subscribe(OperatorWrote, on_operator_wrote)
events.subscribe(MessagesDeleted, on_messages_deleted)
events.subscribe(ContactOptedOut, on_contact_opted_out)
