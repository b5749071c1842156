"""Telegram's objects as what is stored here: people, messages, updates.

Objects are told apart by the names of their classes, as the schema has them. What the product has no use for is left
out: groups, channels, the account's chat with itself, and Telegram's own service account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SERVICE_ACCOUNT: Final = 777000
"""Telegram's own account, which sends login codes."""
_MEDIA: Final = {
    "MessageMediaPhoto": "photo",
    "MessageMediaDocument": "document",
    "MessageMediaGeo": "location",
    "MessageMediaContact": "contacts",
}
_DOCUMENTS: Final = {
    "DocumentAttributeVideo": "video",
    "DocumentAttributeSticker": "sticker",
}


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person as Telegram names them to one account. `access_hash` is how this account addresses them."""

    id: int
    access_hash: int = field(repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What is stored of them: id, name, username, phone, language, is_bot."""


@dataclass(slots=True)
class Projected:
    """What is stored of some updates, in their order, with the people in them. `notices` are texts that Telegram wants
    the account's person to be shown; `is_unconfirmed` tells whether the login waits to be confirmed, where it says."""

    updates: list[dict[str, Any]] = field(default_factory=list)
    people: dict[int, KnownPerson] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    is_unconfirmed: bool | None = None


def name_of(item: Any) -> str:
    """The name of an object's class, as the schema has it."""
    return type(item).__name__


def people_of(users: Iterable[Any]) -> dict[int, KnownPerson]:
    """The people among these users, by id; those of whom Telegram tells only the least are left out."""
    people = {}
    for user in users:
        if name_of(user) != "User" or getattr(user, "min", False) or user.access_hash is None or user.is_self:
            continue
        people[user.id] = KnownPerson(user.id, user.access_hash, facts_of(user))
    return people


def facts_of(user: Any) -> dict[str, Any]:
    """What is stored of a person."""
    facts = {
        "id": user.id,
        "name": " ".join(filter(None, (user.first_name, user.last_name))),
        "username": user.username or _first_username(user),
        "phone": f"+{user.phone}" if user.phone else None,
        "language": user.lang_code,
        "is_bot": bool(user.bot),
    }
    return {name: value for name, value in facts.items() if value not in (None, False)}


def message_of(message: Any, people: Mapping[int, KnownPerson], self_id: int) -> dict[str, Any] | None:
    """A message of a private chat as it is stored; None for one of another kind of chat."""
    peer = getattr(message, "peer_id", None)
    if peer is None or name_of(peer) != "PeerUser" or peer.user_id in (self_id, SERVICE_ACCOUNT):
        return None
    person = people.get(peer.user_id)
    facts = {
        "kind": "message",
        "chat": peer.user_id,
        "id": message.id,
        "date": int(message.date.timestamp()),
        "person": dict(person.facts) if person else {"id": peer.user_id},
    }
    if message.out:
        facts["out"] = True
    if name_of(message) == "MessageService":
        return _service(message, facts)
    reply = getattr(message, "reply_to", None)
    details = {
        "text": message.message or None,
        "media": _media(message.media),
        "edited": int(message.edit_date.timestamp()) if _is_edited(message) else None,
        "forwarded": message.fwd_from is not None,
        "reply_to": getattr(reply, "reply_to_msg_id", None),
        "automatic": bool(getattr(message, "offline", False) or getattr(message, "via_business_bot_id", None)),
    }
    return facts | {name: value for name, value in details.items() if value not in (None, False)}


def project(messages: Iterable[Any], updates: Iterable[Any], users: Iterable[Any], self_id: int) -> Projected:
    """What is stored of a difference: its messages first, then what else happened."""
    result = Projected(people=people_of(users))
    for message in messages:
        if (stored := message_of(message, result.people, self_id)) is not None:
            result.updates.append(stored)
    for update in updates:
        _add(result, update, self_id)
    return result


def _add(result: Projected, update: Any, self_id: int) -> None:
    kind = name_of(update)
    if kind in ("UpdateNewMessage", "UpdateEditMessage"):
        if (stored := message_of(update.message, result.people, self_id)) is not None:
            result.updates.append(stored)
    elif kind == "UpdateDeleteMessages":
        result.updates.append({"kind": "deleted", "ids": list(update.messages)})
    elif kind == "UpdateReadHistoryOutbox" and name_of(update.peer) == "PeerUser":
        result.updates.append(read_mark(update.peer.user_id, update.max_id))
    elif kind == "UpdateMessageReactions" and name_of(update.peer) == "PeerUser":
        result.updates.append(_reaction(update, result.people, self_id))
    elif kind == "UpdateServiceNotification":
        result.notices.append(str(update.message))
    elif kind == "UpdateNewAuthorization":
        result.is_unconfirmed = bool(update.unconfirmed)


def read_mark(user_id: int, max_id: int) -> dict[str, Any]:
    """That a person has read a chat up to and with this message."""
    return {"kind": "read", "chat": user_id, "max_id": max_id}


def _reaction(update: Any, people: Mapping[int, KnownPerson], self_id: int) -> dict[str, Any]:
    user_id = update.peer.user_id
    theirs = [
        reaction
        for reaction in getattr(update.reactions, "recent_reactions", None) or ()
        if not getattr(reaction, "my", False) and getattr(reaction.peer_id, "user_id", self_id) != self_id
    ]
    person = people.get(user_id)
    facts = {"kind": "reaction", "chat": user_id, "id": update.msg_id, "emoji": None}
    facts["person"] = dict(person.facts) if person else {"id": user_id}
    if theirs:
        facts["emoji"] = getattr(theirs[0].reaction, "emoticon", None) or "custom"
        facts["date"] = int(theirs[0].date.timestamp())
    return facts


def _service(message: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """What is no text: a call is an event of its own, the rest is kept as a note of its kind."""
    action = name_of(message.action)
    if action == "MessageActionPhoneCall" and not message.out:
        discarded = message.action.reason
        state = name_of(discarded).removeprefix("PhoneCallDiscardReason").lower() if discarded else "ended"
        call = facts | {"kind": "call", "id": str(message.action.call_id), "state": state}
        return call | ({"seconds": message.action.duration} if message.action.duration is not None else {})
    return facts | {"service": action.removeprefix("MessageAction")}


def _is_edited(message: Any) -> bool:
    """A hidden edit is the provider's own: reactions, a preview."""
    return message.edit_date is not None and not getattr(message, "edit_hide", False)


def _media(media: Any) -> dict[str, Any] | None:
    if media is None or name_of(media) in ("MessageMediaEmpty", "MessageMediaWebPage"):
        return None
    kind = _MEDIA.get(name_of(media), "unsupported")
    if kind == "photo" and media.photo is not None:
        return {"kind": kind, "id": str(media.photo.id)}
    document = getattr(media, "document", None)
    if kind != "document" or document is None:
        return {"kind": kind}
    facts = {"kind": kind, "id": str(document.id), "mime": document.mime_type, "size": document.size}
    for attribute in document.attributes:
        facts["kind"] = _DOCUMENTS.get(name_of(attribute), facts["kind"])
        if name_of(attribute) == "DocumentAttributeAudio":
            facts["kind"] = "voice" if attribute.voice else "audio"
        if name_of(attribute) == "DocumentAttributeFilename":
            facts["name"] = attribute.file_name
    return facts


def _first_username(user: Any) -> str | None:
    active = [item.username for item in getattr(user, "usernames", None) or () if item.active]
    return active[0] if active else None
