"""Keyed hashes under which provider ids are found: pure functions of the id and the installation's lookup key."""

from __future__ import annotations

from typing import Final

from backend.channels import registry
from backend.core.encrypted_columns import keyring

_FAMILIES: Final = {"telegram_user": "telegram"}
"""Of rows of channels that are not registered here."""


def chat_hash(channel: str, sender_id: int, chat_id: str) -> bytes:
    """The hash (32 bytes) of a chat as one sender sees it; the same in every workspace."""
    return keyring().lookup("chat", f"{channel}:{sender_id}:{chat_id}")


def chat_key(hashed: bytes) -> int:
    """The head of a chat's hash as a signed 64-bit number, by which queues keep a chat's order and pace."""
    return int.from_bytes(hashed[:8], "big", signed=True)


def identity_hash(channel: str, external_id: str, scope: str = "") -> bytes:
    """The hash (32 bytes) of a person at a provider; `scope` is empty where the provider's ids hold everywhere."""
    return keyring().lookup("identity", f"{family_of(channel)}:{scope}:{external_id}")


def family_of(channel: str) -> str:
    """The provider as people know it: a bot and an account of Telegram meet the same people."""
    try:
        return registry.spec(channel).family
    except KeyError:
        return _FAMILIES.get(channel, channel)


def scope_of(channel: str, sender_id: int) -> str:
    """Within what a person's id holds: everywhere, or for one sender only."""
    try:
        return str(sender_id) if registry.spec(channel).people_per_sender else ""
    except KeyError:
        return ""
