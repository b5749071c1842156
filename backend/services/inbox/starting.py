"""Writing first: a conversation with somebody who never wrote here, or the one that there is already."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from backend.channels import registry
from backend.channels.inbound import Chat, Person
from backend.core.database import db, system_scope, workspace_id_in_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Conversation, Identity, Message, Sender
from backend.services import conversations
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import identifiers, phones, points, records, settings
from backend.services.contacts.faults import ValueFault
from backend.services.inbox import access, replies
from backend.services.inbox.replies import Reply

_BY_NUMBER: Final = frozenset({"whatsapp"})
"""Families of channels on which a telephone number is enough to write first."""


def start(
    by: Attribution, integration_id: int, reply: Reply, *, contact_id: int | None = None, phone: str | None = None
) -> tuple[Conversation, Message]:
    """Writes to a contact or a number from an integration of the workspace, in the conversation that there is, else in
    a new one.

    Raises NotFound (integration, contact), Invalid, and Conflict: `not_supported` where a channel lets nobody write
    first, `no_number` for a contact without one, and what `replies.store` raises.
    """
    if (contact_id is None) is (phone is None):
        raise Invalid("contact_or_phone", "Name a contact or a number.")
    sender = _sender(integration_id)
    known = _known(by, sender, contact_id)
    if known is None:
        known = _by_number(by, sender, _number(contact_id, phone), contact_id)
    conversation = access.conversation(by.user_id, known.id, lock=True)
    return conversation, replies.store(by, conversation, reply)


def _sender(integration_id: int) -> Sender:
    with system_scope("senders are kept apart by their owner, here"):
        sender = db.session.get(Sender, integration_id)
    if sender is None or sender.workspace_id != workspace_id_in_scope() or sender.deleted_at is not None:
        raise NotFound("integration_not_found", "There is no such integration.")
    return sender


def _known(by: Attribution, sender: Sender, contact_id: int | None) -> Conversation | None:
    """The conversation of this contact on this integration, the latest where there are several."""
    if contact_id is None:
        return None
    records.get(contact_id)
    return db.session.scalar(
        select(Conversation)
        .join(Identity, Identity.id == Conversation.identity_id)
        .where(Identity.contact_id == contact_id, Conversation.sender_id == sender.id)
        .where(Conversation.kind == "private", access.condition(by.user_id))
        .order_by(Conversation.last_activity_at.desc(), Conversation.id.desc())
        .limit(1)
    )


def _number(contact_id: int | None, phone: str | None) -> str:
    """The number in E.164."""
    if phone is not None:
        try:
            return phones.parse(phone, settings.get().region).e164
        except ValueFault as fault:
            raise Invalid.of("phone", fault.code, fault.hint) from None
    assert contact_id is not None
    own = points.of_contacts([contact_id]).get(contact_id, [])
    number = next((point.value for point in own if point.kind == "phone"), None)
    if number is None:
        raise Conflict("no_number", "This contact has no telephone number, and has not written here.")
    return number


def _by_number(by: Attribution, sender: Sender, number: str, contact_id: int | None) -> Conversation:
    spec = registry.spec(sender.channel)
    if spec.family not in _BY_NUMBER:
        message = "On this channel the other side writes first."
        raise Conflict("not_supported", message, detail={"what": "start"})
    digits = number.removeprefix("+")
    person = Person(digits, "", phone=number)
    chat = Chat(digits, "private")
    conversation = conversations.find_or_create(sender, chat, workspace_id=workspace_id_in_scope(), person=person)
    if conversation.identity_id is not None:
        identity = db.session.get(Identity, conversation.identity_id)
        if identity is not None and identity.contact_id is None:
            identity.contact_id = contact_id or _contact_of(number)
    if not conversation.in_inbox:
        conversation.in_inbox, conversation.status = True, "open"
        conversation.last_activity_at = conversation.created_at
        conversation.title = conversation.title or number
        audit.record(by, "conversation.started", f"conversation:{conversation.id}")
    db.session.flush()
    return conversation


def _contact_of(number: str) -> int | None:
    point = points.find(identifiers.phone(number))
    return point.contact_id if point is not None else None
