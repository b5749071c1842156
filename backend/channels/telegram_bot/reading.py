"""Telegram's JSON as plain values: each function takes whatever stands there and gives a value or None."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import cast

from backend.channels.inbound import Chat, ChatType, Person
from backend.channels.richtext import storable

_CHAT_TYPES = frozenset({"private", "group", "supergroup", "channel"})
# Ids of supergroups and channels begin below this, those of basic groups are above; all stay below 52 bits.
_FIRST_SUPERGROUP = -1_000_000_000_000
_LARGEST_ID = 2**52
_NEGATIVE_ID = re.compile(r"-[1-9][0-9]{0,15}")
_LONGEST_ID = 64


def identifier(value: object) -> str | None:
    """An id as text. 0 is an id."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if abs(value) < 2**63 else None
    return bounded(value) if isinstance(value, str) and value else None


def is_group_id(chat_id: str) -> bool:
    """Whether this is the id of a basic group: the only kind of chat that can become another one."""
    return _NEGATIVE_ID.fullmatch(chat_id) is not None and int(chat_id) > _FIRST_SUPERGROUP


def is_supergroup_id(chat_id: str) -> bool:
    """Whether this is the id of a supergroup (or a channel: they share one form)."""
    return _NEGATIVE_ID.fullmatch(chat_id) is not None and -_LARGEST_ID < int(chat_id) < _FIRST_SUPERGROUP


def bounded(value: str) -> str:
    """A provider's word, short enough for a row's column."""
    return storable(value)[:_LONGEST_ID]


def text_of(value: object) -> str:
    """A text that can be stored; empty where there is none."""
    return storable(value) if isinstance(value, str) else ""


def optional_text(value: object) -> str | None:
    """A text that can be stored, or None."""
    return text_of(value) or None


def time_of(value: object) -> datetime | None:
    """Unix seconds as an aware UTC time; None for 0, which Telegram gives for messages it no longer shows."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**40:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def size_of(value: object) -> int | None:
    """A size in bytes."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def chat_of(value: object) -> Chat | None:
    """A chat; where its type is missing, it follows from the sign and size of its id."""
    if not isinstance(value, dict) or (chat_id := identifier(value.get("id"))) is None:
        return None
    return Chat(
        id=chat_id,
        type=_chat_type(value.get("type"), chat_id),
        title=optional_text(value.get("title")),
        username=optional_text(value.get("username")),
        name=_name(value) or None,
        is_forum=value.get("is_forum") is True,
    )


def _chat_type(type_name: object, chat_id: str) -> ChatType:
    if isinstance(type_name, str) and type_name in _CHAT_TYPES:
        return cast(ChatType, type_name)
    if not chat_id.startswith("-"):
        return "private"
    return "supergroup" if chat_id[1:].isdigit() and int(chat_id) <= _FIRST_SUPERGROUP else "group"


def person_of(value: object) -> Person | None:
    """A user."""
    if not isinstance(value, dict) or (person_id := identifier(value.get("id"))) is None:
        return None
    username = optional_text(value.get("username"))
    return Person(
        id=person_id,
        name=_name(value) or username or person_id,
        username=username,
        language=optional_text(value.get("language_code")),
        is_bot=value.get("is_bot") is True,
    )


def _name(value: dict[str, object]) -> str:
    parts = (text_of(value.get("first_name")), text_of(value.get("last_name")))
    return " ".join(part for part in parts if part)


def thread_of(message: dict[str, object]) -> str | None:
    """The forum topic. The id alone also stands on replies in groups without topics, where sending with it
    fails."""
    return identifier(message.get("message_thread_id")) if message.get("is_topic_message") is True else None
