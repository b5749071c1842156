"""Items of Meta's webhooks: the pieces of a body, each of which splits into itself again."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import orjson

from backend.channels.graph import reading
from backend.channels.spec import MAX_KEY, UNPARSABLE, Item

_LONGEST_PART = 90


def write(value: Any) -> bytes | None:
    """A piece's bytes, the same after it was read and written again. None for what is nested too deeply."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        pass
    try:
        text = json.dumps(value).encode()
        return orjson.dumps(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text  # lone surrogates, which only the escapes can say
    except (orjson.JSONEncodeError, ValueError, RecursionError):
        return None


def raw_item(body: bytes, kind: str = UNPARSABLE, recipient_id: str | None = None) -> Item:
    """The item of bytes that say nothing."""
    key = f"raw:{sha256(body).hexdigest()[:32]}"
    return Item(recipient_id, key, key, kind, body)


def unwritable(value: Any) -> Item:
    """The item that stands for one nested too deeply to be kept."""
    return raw_item(f"nested too deeply: {sha256(repr(type(value)).encode()).hexdigest()[:16]}".encode())


def part(value: str) -> str:
    """An id as a part of a key: as it is, or its digest where it is long or holds what a key must not."""
    if len(value) <= _LONGEST_PART and value.isascii() and value.isprintable():
        return value
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def kind_word(value: Any, otherwise: str) -> str:
    """The provider's word for a kind, bounded; `otherwise` where it gave none."""
    return reading.text(value, 60).strip() or otherwise


def bounded(key: str) -> str:
    """A key that is no longer than a row takes."""
    return key if len(key) <= MAX_KEY else f"{key[:100]}:{sha256(key.encode()).hexdigest()[:40]}"
