"""An account's session as text: the data center, its address, and the authorization key, which opens the account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_KEY_BYTES: Final = 256
_KEY_LEAST_BYTES: Final = 240
"""Telethon drops the zeros at a key's start, so that one key in 256 is shorter by a byte."""


@dataclass(frozen=True, slots=True)
class SessionData:
    """`key` is None before the first connection."""

    dc: int
    host: str
    port: int
    key: bytes | None = field(default=None, repr=False)


def dump(session: SessionData) -> str:
    """`dc|host|port|key`, the key in hexadecimal digits."""
    return f"{session.dc}|{session.host}|{session.port}|{(session.key or b'').hex()}"


def load(text: str) -> SessionData:
    """The session that `dump` wrote. Raises ValueError for another text."""
    dc, host, port, key = text.split("|")
    data = bytes.fromhex(key)
    if data and not _KEY_LEAST_BYTES <= len(data) <= _KEY_BYTES:
        raise ValueError("the session's key has another length")
    return SessionData(int(dc), host, int(port), data or None)
