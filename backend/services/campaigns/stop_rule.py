"""The stop rule: a person who answers, reacts, calls or objects gets nothing more, nor one whom the operator wrote to.

It holds for the person, in every campaign of the workspace. It runs in the transaction that stores what came in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, CompoundSelect, bindparam, select, text, union
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core import events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Campaign, CampaignMessage, CampaignRecipient, ContactPoint, Conversation, Identity, Message
from backend.services import conversations, delivery, live
from backend.services.auth import attribution
from backend.services.campaigns import locking, opt_out, outgoing, records, safety, wakening
from backend.services.contacts import settings, suppressions
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
        meaning = opt_out.meaning_of(event.text, _own_words) if people or _is_stranger(conversation) else None
        if meaning == "opt_out":
            object_to(people, conversation)
        elif event.is_automatic:
            _put_off(people)
        else:
            stop(people, "replied", "replied", asks=meaning == "ambiguous")


def on_contacts_wrote(event: ContactsWrote) -> None:
    """Many wrote at once: the rule is asked for those only who are in a campaign, or want to hear nothing more."""
    values = {"conversations": sorted({wrote.conversation_id for wrote in event.messages})}
    with system_scope("a batch holds messages of several workspaces"):
        known = {row.id: row for row in db.session.execute(_CONCERNED, values)}
    for wrote in event.messages:
        row = known.get(wrote.conversation_id)
        if row is None:
            continue
        own_words = row.own_words or ()
        if row.is_recipient or opt_out.meaning_of(wrote.text, lambda: own_words) is not None:  # noqa: B023 - called here
            on_contact_wrote(wrote)


_CONCERNED: Final = text(
    """
    SELECT c.id, (SELECT s.opt_out_words FROM contact_settings s WHERE s.workspace_id = c.workspace_id) AS own_words,
           EXISTS (SELECT FROM campaign_recipients r WHERE r.conversation_id = c.id)
        OR EXISTS (SELECT FROM campaign_recipients r WHERE r.identity_id = i.id)
        OR EXISTS (SELECT FROM campaign_recipients r WHERE r.contact_id = i.contact_id)
        OR EXISTS (SELECT FROM contact_points p JOIN campaign_recipients r ON r.contact_id = p.contact_id
                    WHERE p.workspace_id = i.workspace_id AND p.value_hash = i.external_hash) AS is_recipient
      FROM conversations c JOIN identities i ON i.id = c.identity_id
     WHERE c.id = ANY(:conversations)
    """
).bindparams(bindparam("conversations", type_=ARRAY(BigInteger)))


def on_contact_reacted(event: ContactReacted) -> None:
    """Somebody reacted to a message."""
    _stop_in(event.conversation_id, "stopped", "reacted")


def on_contact_called(event: ContactCalled) -> None:
    """Somebody called."""
    _stop_in(event.conversation_id, "replied", "replied")


def on_operator_wrote(event: OperatorWrote) -> None:
    """The account's owner wrote from their own device. What they wrote before they launched a campaign that has not
    written to the person yet takes nothing over: an old chat, or what an older state of the database has forgotten."""
    conversation = _conversation(event.conversation_id)
    if conversation is None:
        return
    with workspace_scope(conversation.workspace_id):
        people = _people(conversation)
        stop([row for row in people if row.messages_sent or not _is_older(event.at, row)], "stopped", "taken_over")


def _is_older(moment: datetime | None, recipient: CampaignRecipient) -> bool:
    """Whether a moment lies before the launch of a recipient's campaign; providers' times are whole seconds."""
    campaign = db.session.get(Campaign, recipient.campaign_id)
    launched_at = None if campaign is None else campaign.launched_at
    return moment is not None and launched_at is not None and moment + timedelta(seconds=1) < launched_at


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
    """Suppresses who objected, under everything they are known by, and ends what waits for them: on whatever channel,
    and in no campaign too."""
    identity = None if conversation.identity_id is None else db.session.get(Identity, conversation.identity_id)
    contact_ids = {recipient.contact_id for recipient in people}
    if identity is not None:
        contact_ids |= suppressions.holders_of({bytes(identity.external_hash)})
        contact_ids |= set() if identity.contact_id is None else {identity.contact_id}
        suppressions.add(_hashes_of(identity, contact_ids), attribution.TELEGRAM, "opted_out", "person")
    for contact_id in sorted(contact_ids):
        points = select(ContactPoint.id).where(ContactPoint.contact_id == contact_id).limit(1)
        if db.session.execute(points).first() is not None:
            suppressions.suppress_contact(attribution.TELEGRAM, contact_id, code="opted_out", source="person")
    stop(people, "stopped", "opted_out")


def _hashes_of(identity: Identity, contact_ids: Collection[int]) -> set[tuple[str, bytes]]:
    """What a person is known by at providers, on every channel where they were found to be the same."""
    same = select(Identity).where((Identity.id == identity.id) | Identity.contact_id.in_(contact_ids))
    return {
        (suppressions.kind_of(each.channel), value)
        for each in db.session.scalars(same).all()
        for value in conversations.identities.hashes_of(each.id)
    }


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
    """The recipients of all campaigns who are the person of this conversation, by any identity of theirs; locked.

    One statement where there are none, which is so for most of what comes in.
    """
    with system_scope("one statement over several tables, for the workspace of the conversation"):
        ids = db.session.scalars(_recipients_of(conversation)).all()
    return locking.recipients(CampaignRecipient.id.in_(ids)) if ids else ()


def _recipients_of(conversation: Conversation) -> CompoundSelect[Any]:
    """The ids of the recipients who are the person of a conversation: by the conversation, by their identity, or by a
    contact who has it, as a point, linked, or as a campaign found them."""
    row, home = CampaignRecipient, conversation.workspace_id
    mine = select(row.id).where(row.workspace_id == home)
    queries = [mine.where(row.conversation_id == conversation.id)]
    if conversation.identity_id is not None:
        of_identity = (row.workspace_id == home) & (row.identity_id == conversation.identity_id)
        own = (Identity.workspace_id == home) & (Identity.id == conversation.identity_id)
        same_hash = (Identity.external_hash == ContactPoint.value_hash) & (ContactPoint.workspace_id == home)
        contacts: CompoundSelect[Any] = union(
            select(ContactPoint.contact_id).join(Identity, same_hash).where(own),
            select(Identity.contact_id).where(own, Identity.contact_id.is_not(None)),
            select(row.contact_id).where(of_identity),
        )
        queries += [mine.where(of_identity), mine.where(row.contact_id.in_(contacts))]
    return union(*queries)


def _is_stranger(conversation: Conversation) -> bool:
    """Whether it is a person outside the workspace: a member ends what the bot tells them by its own commands."""
    if conversation.identity_id is None:
        return False
    identity = db.session.get(Identity, conversation.identity_id)
    return identity is not None and identity.user_id is None


def _own_words() -> Collection[str]:
    return settings.get().opt_out_words


events.subscribe(ContactWrote, on_contact_wrote)
events.subscribe(ContactsWrote, on_contacts_wrote)
events.subscribe(ContactReacted, on_contact_reacted)
events.subscribe(ContactCalled, on_contact_called)
events.subscribe(OperatorWrote, on_operator_wrote)
events.subscribe(MessagesDeleted, on_messages_deleted)
events.subscribe(ContactOptedOut, on_contact_opted_out)
