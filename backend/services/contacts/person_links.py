"""Links that speak for one person without a sign-in: what they carry, and that nobody else can make one.

A link holds workspace, contact, one identifier by its keyed hash, and its last day, under a keyed hash of all that. So
it works when the campaign is gone and when the contact was erased, and nothing is stored for it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from backend.core import clock, config
from backend.core.encrypted_columns import keyring
from backend.core.errors import NotFound
from backend.models import ContactPoint
from backend.services.contacts.identifiers import KINDS

LIFE: Final = timedelta(days=366)
"""How long a link works at least."""
_LAYOUT: Final = struct.Struct(">QQIB32s")
_PROOF: Final = 16
"""Bytes of the keyed hash that a link carries."""


@dataclass(frozen=True, slots=True)
class PersonLink:
    """Whom a link speaks for."""

    workspace_id: int
    contact_id: int
    kind: str
    value_hash: bytes
    expires_at: datetime
    """UTC, at the beginning of a day."""


def address_of(purpose: str, path: str, point: ContactPoint) -> str:
    """The address of a link for the person who has this point; `path` is what stands before the token."""
    return f"{config.get().site_url}/{path}/{token_of(purpose, point)}"


def token_of(purpose: str, point: ContactPoint) -> str:
    """A token of this purpose for a point, of letters, digits, `-` and `_`."""
    last_day = int((clock.now() + LIFE).timestamp() // 86_400) + 1
    kind = KINDS.index(point.kind)
    body = _LAYOUT.pack(point.workspace_id, point.contact_id, last_day, kind, bytes(point.value_hash))
    return base64.urlsafe_b64encode(body + _proof(purpose, body)).decode("ascii").rstrip("=")


def read(purpose: str, token: str) -> PersonLink:
    """Whom a token speaks for. Raises NotFound: link_unknown, link_expired."""
    unknown = NotFound("link_unknown", "This link is not one of ours, or was cut off.")
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise unknown from None
    body, proof = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
    if len(raw) != _LAYOUT.size + _PROOF or not hmac.compare_digest(proof, _proof(purpose, body)):
        raise unknown
    workspace_id, contact_id, last_day, kind, value_hash = _LAYOUT.unpack(body)
    expires_at = datetime.fromtimestamp(last_day * 86_400, UTC)
    if expires_at <= clock.now():
        raise NotFound("link_expired", "This link is too old.")
    return PersonLink(workspace_id, contact_id, KINDS[kind], value_hash, expires_at)


def _proof(purpose: str, body: bytes) -> bytes:
    # By the key under which suppressions are found: another SECRET_KEY leaves the links that were sent.
    return keyring().lookup(f"contact.link.{purpose}", body.hex())[:_PROOF]
