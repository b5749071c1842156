"""Updates: genuine or not, which conversation they belong to, and what they say.

Everything here is tolerant: Telegram adds kinds of updates and fields without notice, its own documentation
shows chats without a type, and ids may be 0. Nothing raises, whatever the bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from backend.channels import verification
from backend.channels.inbound import (
    ButtonPressed,
    Chat,
    ChatMigrated,
    Ignored,
    InboundEvent,
    MembershipChanged,
    Parked,
)
from backend.channels.spec import UNPARSABLE, Item
from backend.channels.telegram_bot import reading
from backend.channels.telegram_bot.messages import message_of

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
UPDATES = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "my_chat_member",
)
"""What to ask Telegram for (`allowed_updates`); other kinds are recorded and ignored when they come."""
_MESSAGES = frozenset(UPDATES[:4])


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Whether the request carries one of our secrets; Telegram signs no body."""
    return verification.carries_secret(headers, SECRET_HEADER, secrets)


def split(body: bytes) -> list[Item]:
    """The update: Telegram sends one at a time. Its id alone is no key, because ids restart at a random number after a
    quiet week, so a digest of the content goes with it: of the parsed content, which is the same by webhook and by
    polling and whatever the order of its keys."""
    update, canonical = _read(body)
    if not isinstance(update, dict):
        key = f"raw:{hashlib.sha256(body).hexdigest()[:32]}"
        return [Item(None, key, key, UNPARSABLE, body)]
    digest = hashlib.sha256(canonical).hexdigest()[:32]
    update_id = reading.identifier(update.get("update_id")) or "none"
    kind = _kind(update)
    # Of an update without a chat or a person nothing is known to be its neighbour: a conversation of its own.
    conversation = _conversation(update.get(kind)) or f"update:{update_id}:{digest}"
    return [Item(None, f"{update_id}:{digest}", conversation, reading.bounded(kind) or "empty", body)]


def parse(body: bytes) -> list[InboundEvent]:
    """The update's events: one, as Telegram's updates are."""
    update = _load(body)
    if update is None:
        return [Parked("unparsable")]
    if not isinstance(update, dict):
        return [Parked("not_an_object")]
    kind = _kind(update)
    content = update.get(kind)
    if kind in _MESSAGES:
        return [_message(kind, content)]
    if kind == "callback_query":
        return [_button(content)]
    if kind == "my_chat_member":
        return [_membership(content)]
    return [Ignored(reading.bounded(kind))]


def _load(body: bytes) -> Any:
    """The JSON value, or None where there is none."""
    return _read(body)[0]


def _read(body: bytes) -> tuple[Any, bytes]:
    """The JSON value and the one way of writing it; None where there is none. The nesting is limited by the parser and
    the writer (RecursionError), the length of numbers by Python (ValueError)."""
    try:
        value = json.loads(body)
        return value, json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None, b""


def _kind(update: Mapping[str, Any]) -> str:
    return next((name for name in update if name != "update_id"), "empty")


def _conversation(content: object) -> str | None:
    if not isinstance(content, dict):
        return None
    message = content.get("message")
    for holder in (content, message if isinstance(message, dict) else {}):
        chat = holder.get("chat")
        if isinstance(chat, dict) and (chat_id := reading.identifier(chat.get("id"))) is not None:
            return f"chat:{chat_id}"
    person = content.get("from")
    if isinstance(person, dict) and (person_id := reading.identifier(person.get("id"))) is not None:
        return f"person:{person_id}"
    return None


def _message(kind: str, content: object) -> InboundEvent:
    if not isinstance(content, dict):
        return Parked("malformed", kind)
    chat = reading.chat_of(content.get("chat"))
    if chat is None:
        return Parked("malformed", f"{kind}.chat")
    return _migration(content, chat) or message_of(
        content, chat, edited=kind.startswith("edited_"), channel_post=kind.endswith("channel_post")
    )


def _migration(content: Mapping[str, Any], chat: Chat) -> ChatMigrated | None:
    """A group that becomes a supergroup, told from either side. Of any other chat, or with an id that cannot be one, it
    is not believed: it would move a person's link to strangers."""
    new = reading.identifier(content.get("migrate_to_chat_id"))
    old = reading.identifier(content.get("migrate_from_chat_id"))
    if new is not None and chat.type == "group" and reading.is_group_id(chat.id) and reading.is_supergroup_id(new):
        return ChatMigrated(old=chat.id, new=new)
    if old is not None and chat.type == "supergroup" and reading.is_supergroup_id(chat.id) and reading.is_group_id(old):
        return ChatMigrated(old=old, new=chat.id)
    return None


def _button(content: object) -> InboundEvent:
    if not isinstance(content, dict):
        return Parked("malformed", "callback_query")
    callback_id = reading.identifier(content.get("id"))
    person = reading.person_of(content.get("from"))
    if callback_id is None or person is None:
        return Parked("malformed", "callback_query.from")
    message = content.get("message")
    message = message if isinstance(message, dict) else {}
    return ButtonPressed(
        callback_id=callback_id,
        data=reading.text_of(content.get("data")),
        person=person,
        chat=reading.chat_of(message.get("chat")),
        message_id=reading.identifier(message.get("message_id")),
        thread_id=reading.thread_of(message),
    )


def _membership(content: object) -> InboundEvent:
    if not isinstance(content, dict):
        return Parked("malformed", "my_chat_member")
    chat = reading.chat_of(content.get("chat"))
    new, old = content.get("new_chat_member"), content.get("old_chat_member")
    status = new.get("status") if isinstance(new, dict) else None
    if chat is None or not isinstance(status, str):
        return Parked("malformed", "my_chat_member.new_chat_member")
    was = old.get("status") if isinstance(old, dict) else None
    return MembershipChanged(
        chat=chat,
        status=reading.bounded(status),
        was=reading.bounded(was) if isinstance(was, str) else None,
        by=reading.person_of(content.get("from")),
        date=reading.time_of(content.get("date")),
    )
