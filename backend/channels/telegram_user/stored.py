"""What is stored of an account's update: our own JSON object, an item of the intake.

Not the provider's own form, so that whoever processes it needs no library for MTProto. `kind` is message, deleted,
read, reaction or call; ids are whole numbers, times seconds since 1970.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from backend.channels.spec import MAX_KEY, UNPARSABLE, Item

MAX_BYTES: Final = 256 * 1024
KINDS: Final = frozenset({"message", "deleted", "read", "reaction", "call"})


def pack(update: Mapping[str, Any]) -> bytes:
    """The bytes that are stored of an update; equal for equal updates."""
    return json.dumps(update, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")


def split(body: bytes) -> list[Item]:
    """The one item that a stored update is."""
    update = unpack(body)
    if update is None:
        digest = hashlib.sha256(body).hexdigest()
        return [Item(None, f"unparsable:{digest}", digest, UNPARSABLE, body)]
    return [Item(None, _dedupe_key(update, body), _chat_of(update), str(update["kind"]), body)]


def unpack(body: bytes) -> dict[str, Any] | None:
    """The stored update; None for bytes that are none."""
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(update, dict) or update.get("kind") not in KINDS:
        return None
    return update


def _dedupe_key(update: Mapping[str, Any], body: bytes) -> str:
    """Equal for the same event however often and by whatever way it is fetched."""
    chat, kind = _chat_of(update), update["kind"]
    if kind == "message":
        key = f"message:{chat}:{update.get('id')}:{update.get('edited') or 0}"
    elif kind == "read":
        key = f"read:{chat}:{update.get('max_id')}"
    elif kind == "call":
        key = f"call:{chat}:{update.get('id')}"
    else:
        key = f"{kind}:{hashlib.sha256(body).hexdigest()}"
    return key[:MAX_KEY]


def _chat_of(update: Mapping[str, Any]) -> str:
    """What the update is in order with. Deletions name no chat, and are in order with each other."""
    return str(update.get("chat") or "deletions")[:MAX_KEY]
