"""Conversations as the API shows them, by a constant number of statements for any number of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.models import Contact, Conversation, Identity, Message, MessageFile, User
from backend.services.inbox import kinds, listing, settings, sla, texts

_OWN: Final = (
    "id",
    "channel",
    "status",
    "in_charge",
    "assignee_id",
    "unread_count",
    "reply_until",
    "reply_reason",
    "waiting_since",
    "snoozed_until",
    "snoozed_until_reply",
    "first_inbound_at",
    "answered_at",
    "last_activity_at",
    "blocked_code",
    "visibility",
    "owner_user_id",
)
_PREVIEW: Final = 200
"""Characters of the last message that a list shows."""


def describe(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    """What is known of these conversations, in their order: five statements."""
    if not conversations:
        return []
    ids = [conversation.id for conversation in conversations]
    people = _people([it.identity_id for it in conversations if it.identity_id is not None])
    labels = listing.labels_of(ids)
    messages = _last_messages([it.last_message_id for it in conversations if it.last_message_id is not None])
    assignees = names_of([it.assignee_id for it in conversations if it.assignee_id is not None])
    aims, now = settings.get(), clock.now()
    hours = settings.hours_of(aims)
    return [
        {
            **{name: getattr(conversation, name) for name in _OWN},
            "integration_id": conversation.sender_id,
            "contact": _contact(conversation, people.get(conversation.identity_id or 0)),
            "assignee_name": assignees.get(conversation.assignee_id or 0),
            "labels": [
                {"id": label.id, "name": label.name, "color": label.color} for label in labels.get(conversation.id, [])
            ],
            "last_message": messages.get(conversation.last_message_id or 0),
            "last_message_id": conversation.last_message_id,
            "sla": sla.timers(conversation, aims, hours, now),
        }
        for conversation in conversations
    ]


def describe_one(conversation: Conversation) -> dict[str, Any]:
    """What is known of one conversation."""
    return describe([conversation])[0]


def names_of(user_ids: Sequence[int]) -> dict[int, str]:
    """The names of these people by id."""
    query = select(User.id, User.name).where(User.id.in_(set(user_ids)))
    return {row.id: row.name for row in db.session.execute(query)}


def contact_name(contact: Contact | None) -> str | None:
    """What a contact is called."""
    if contact is None or contact.erased_at is not None:
        return None
    return " ".join(filter(None, (contact.first_name, contact.last_name))) or contact.company


def _people(identity_ids: Sequence[int]) -> dict[int, tuple[Identity, Contact | None]]:
    query = (
        select(Identity, Contact)
        .outerjoin(Contact, Contact.id == Identity.contact_id)
        .where(Identity.id.in_(identity_ids))
    )
    return {row[0].id: (row[0], row[1]) for row in db.session.execute(query)}


def _contact(conversation: Conversation, person: tuple[Identity, Contact | None] | None) -> dict[str, Any]:
    identity, contact = person if person is not None else (None, None)
    name = contact_name(contact) or (identity.display_name if identity else None) or conversation.title
    return {
        "id": contact.id if contact is not None and contact.erased_at is None else None,
        "identity_id": conversation.identity_id,
        "name": name,
        "username": identity.username if identity else None,
    }


def _last_messages(message_ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    query = (
        select(Message, MessageFile.kind.label("file_kind"))
        .outerjoin(MessageFile, (MessageFile.message_id == Message.id) & (MessageFile.position == 0))
        .where(Message.id.in_(message_ids))
    )
    return {row[0].id: _last_message(row[0], row.file_kind) for row in db.session.execute(query)}


def _last_message(message: Message, file_kind: str | None) -> dict[str, Any]:
    text = "" if message.deleted_at is not None else " ".join(texts.text_of(message).split())
    return {
        "id": message.id,
        "direction": message.direction,
        "via": kinds.via_of(message),
        "kind": kinds.kind_of(message, file_kind),
        "text": text[:_PREVIEW] + ("…" if len(text) > _PREVIEW else ""),
        "at": message.happened_at or message.created_at,
        "state": message.state,
        "deleted_at": message.deleted_at,
        "author_user_id": message.author_user_id,
    }
