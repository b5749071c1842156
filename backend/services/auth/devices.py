"""Marks of devices that have signed in: whoever shows one is not refused for what others try.

A mark is signed and names the person it was given to. It opens nothing: with it a password may be tried ten times in
fifteen minutes whatever happens elsewhere. Nothing of it is stored.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from datetime import timedelta
from typing import Final

from backend.core import clock
from backend.core.encrypted_columns import keyring

LIFE: Final = timedelta(days=180)
"""From the last sign-in on the device."""
MAX_MARKS: Final = 5
"""People who take turns at one browser: the newest are kept."""
MAX_CHARACTERS: Final = 1000
_PURPOSE: Final = "known-device"
_BETWEEN: Final = "~"


def mark(user_id: int, shown: str | None = None) -> str:
    """What a device keeps after this person has signed in on it, with what it has `shown` of others' marks."""
    named = f"{user_id}.{int(clock.unix())}.{secrets.token_urlsafe(9)}"
    signed = f"{named}.{_encode(keyring().sign(_PURPOSE, named.encode()))}"
    others = [part for part in _parts(shown) if _owner(part) not in (None, user_id)]
    return _BETWEEN.join([signed, *others[: MAX_MARKS - 1]])


def device_of(shown: str | None, user_id: int) -> str | None:
    """The device's name, if it shows a valid mark of this person that is not too old; else None."""
    for part in _parts(shown):
        if _owner(part) == user_id:
            return part.split(".")[2]
    return None


def is_known(shown: str | None) -> bool:
    """Whether it shows a valid mark of anybody."""
    return any(_owner(part) is not None for part in _parts(shown))


def _parts(shown: str | None) -> list[str]:
    if not shown or len(shown) > MAX_CHARACTERS or not shown.isascii():
        return []
    return shown.split(_BETWEEN)[:MAX_MARKS]


def _owner(part: str) -> int | None:
    """Whose mark this is; None for one that is not ours, or too old."""
    named, _, proof = part.rpartition(".")
    pieces = named.split(".")
    if len(pieces) != 3 or not all(piece.isdigit() and len(piece) < 19 for piece in pieces[:2]):
        return None
    try:
        signature = base64.urlsafe_b64decode(proof + "=" * (-len(proof) % 4))
    except (binascii.Error, ValueError):
        return None
    if not keyring().verify(_PURPOSE, named.encode(), signature):
        return None
    age = clock.unix() - int(pieces[1])
    return int(pieces[0]) if age < LIFE.total_seconds() else None


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
