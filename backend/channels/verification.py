"""Proofs that a provider made a request: a secret in a header, a signature over the raw bytes, a handshake's token.

Every comparison takes constant time, and an empty secret proves nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence


def header(headers: Mapping[str, str], name: str) -> str:
    """The value of a header, whatever the case of its name; empty where there is none."""
    wanted = name.lower()
    return next((value for given, value in headers.items() if given.lower() == wanted), "")


def carries_secret(headers: Mapping[str, str], name: str, secrets: Sequence[str]) -> bool:
    """Whether a header holds one of the secrets."""
    return _is_one_of(header(headers, name), secrets)


def is_signed(
    headers: Mapping[str, str], name: str, body: bytes, secrets: Sequence[str], *, prefix: str = "sha256="
) -> bool:
    """Whether a header holds the HMAC-SHA256 of the body, in hexadecimal digits after `prefix`, by one of the
    secrets."""
    sent = header(headers, name)
    if not sent.startswith(prefix):
        return False
    signatures = [prefix + hmac.new(_raw(secret), body, hashlib.sha256).hexdigest() for secret in secrets if secret]
    return _is_one_of(sent, signatures)


def challenge(query: Mapping[str, str], tokens: Sequence[str]) -> str | None:
    """The answer to a subscription's handshake (`hub.mode`, `hub.verify_token`, `hub.challenge`); None refuses."""
    sent = query.get("hub.challenge")
    if query.get("hub.mode") != "subscribe" or not sent:
        return None
    return sent if _is_one_of(query.get("hub.verify_token", ""), tokens) else None


def _is_one_of(sent: str, wanted: Sequence[str]) -> bool:
    given, matches = _raw(sent), False
    for value in wanted:
        # All of them are compared: how long it takes does not tell which of them it was.
        matches |= bool(value) and hmac.compare_digest(given, _raw(value))
    return matches


def _raw(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
