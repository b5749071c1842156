"""What follows from a stored message of a person in a private chat: their contact, the conversation's state, files.

It is done in the transaction that stores the message, so that nothing of it is lost or done twice.
"""

from __future__ import annotations

from contextlib import suppress

from backend.channels.inbound import CallReceived, MessageReceived, Person
from backend.core import clock, events
from backend.core.database import db, system_scope
from backend.models import Conversation, Identity, Message
from backend.services import inbox
from backend.services.contacts import identifiers
from backend.services.contacts.faults import ValueFault
from backend.services.contacts.inbound import Writer, ensure, telegram_points
from backend.services.conversations import history
from backend.services.conversations.events import ContactWrote, MessagesStored
from backend.services.inbox import inbound_state
from backend.services.inbox.inbound_state import Inbound

_WHY = "what one message says is written by statements for many"


def follow(conversation: Conversation, message: Message, event: MessageReceived, *, is_talk: bool = True) -> None:
    """Does what follows from a message that was just stored. One that is said to a machine (`is_talk` is false) leaves
    the inbox as it is."""
    with system_scope(_WHY):
        inbox.media.note_received(message, conversation, event.media)
        if is_talk:
            enter(conversation, message, event.sender, window_reason(event))
        if event.standby and conversation.in_charge == "us":
            inbox.state.set_in_charge(conversation, "other")
    if conversation.in_inbox:
        events.publish(MessagesStored((history.words_of(message),)))
    events.publish(ContactWrote(conversation.id, conversation.identity_id, message.id, event.text, event.automatic))


def enter(conversation: Conversation, message: Message, person: Person | None, reason: str | None = None) -> None:
    """Notes an inbound message in its conversation, and makes the person's contact."""
    identity = db.session.get(Identity, conversation.identity_id) if conversation.identity_id is not None else None
    if identity is not None and identity.contact_id is None:
        ensure([writer_of(identity, person)])
        db.session.refresh(identity)
    item = Inbound(conversation.id, conversation.workspace_id, conversation.sender_id, conversation.channel)
    item.add(message.id, message.at, inbound_state.window_of(conversation.channel, message.at, reason))
    inbound_state.write_one(item, conversation)


def enter_call(conversation: Conversation, message: Message, event: CallReceived) -> None:
    """Notes a call as one notes a message; it opens no window."""
    item = Inbound(conversation.id, conversation.workspace_id, conversation.sender_id, conversation.channel)
    item.add(message.id, event.date or clock.now())
    with system_scope(_WHY):
        inbound_state.write_one(item, conversation)


def window_reason(event: MessageReceived) -> str | None:
    """What opened the window besides the message itself: an advertisement, or a comment."""
    if event.referral is not None and event.referral.source.casefold().startswith("ad"):
        return "ad_7d"
    return "comment_7d_once" if event.kind == "comment" else None


def writer_of(identity: Identity, person: Person | None) -> Writer:
    """A person who wrote, for their contact: with a number only where the provider vouches for it."""
    points = []
    if identity.channel == "telegram":
        points = list(telegram_points(identity.external_id))
    if person is not None and person.phone:
        # A number of a kind that nobody can be called by stays the identity's alone.
        with suppress(ValueFault):
            points.append(identifiers.phone(person.phone))
    return Writer(
        identity.id,
        identity.workspace_id,
        identity.display_name or "",
        tuple(points),
        locale=identity.locale,
        username=identity.username,
    )


def is_talk(event: MessageReceived, *, is_command: bool) -> bool:
    """Whether a message to a bot is something that a person says to people: private, and no command."""
    return event.chat.is_private and not is_command and event.sender is not None and not event.sender.is_bot
