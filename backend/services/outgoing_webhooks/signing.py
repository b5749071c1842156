"""The signature of an outgoing event: HMAC-SHA256 over `<timestamp>.<body>`, with the timestamp beside it.

`Switchboard-Signature: t=1767225600,v1=5257a8…`. After a rotation the old secret signs too for a day: two `v1`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

HEADER: Final = "Switchboard-Signature"
_PREFIX: Final = "whsec_"


def new_secret() -> str:
    """A fresh secret of 32 random bytes."""
    return _PREFIX + secrets.token_urlsafe(32)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The lower-case hex of one secret's HMAC."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def header(known: Iterable[str], timestamp: int, body: bytes) -> str:
    """The header's value, with one `v1` for each secret."""
    return ",".join([f"t={timestamp}", *(f"v1={signature(secret, timestamp, body)}" for secret in known)])
