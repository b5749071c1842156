"""Bounds on what stands around a text. Telegram publishes neither; these are what its refusals show."""

from __future__ import annotations

import json

from simulator.errors import bad_request
from simulator.model import JSON

ENTITY_BYTES = 9_500
"""Of all entities of a text together, as they are packed for the connection."""
KEYBOARD_BYTES = 10_000
"""Of an inline keyboard's JSON."""
_WORD = 4


def check_entities(entities: list[JSON]) -> None:
    """Raises ApiError 400 for entities that are too large together: links with long addresses."""
    if sum(_packed(entity) for entity in entities) > ENTITY_BYTES:
        raise bad_request("ENTITIES_TOO_LONG")


def check_keyboard(markup: JSON) -> None:
    """Raises ApiError 400 for an inline keyboard that is too large."""
    if len(json.dumps(markup, ensure_ascii=False, separators=(",", ":")).encode()) > KEYBOARD_BYTES:
        raise bad_request("reply markup is too long")


def _packed(entity: JSON) -> int:
    """Kind, offset and length are a word each; an address has its length before it and is filled up to a word."""
    address = len(str(entity.get("url", "")).encode())
    if not address:
        return 3 * _WORD
    head = 1 if address < 254 else _WORD
    return 3 * _WORD + -(-(head + address) // _WORD) * _WORD
