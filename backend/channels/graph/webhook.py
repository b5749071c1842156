"""The proofs of Meta's webhooks: `X-Hub-Signature-256` over the raw bytes, and the handshake of a subscription."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from backend.channels import verification

SIGNATURE: Final = "X-Hub-Signature-256"
HEADERS: Final = frozenset({SIGNATURE.lower()})
MAX_BYTES: Final = 4 * 1024 * 1024
"""Meta sends bodies of at most 3 MB."""


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Whether the body was signed with one of the secrets (an application's). Its bytes are signed as they were sent:
    Meta escapes what other JSON writers do not."""
    return verification.is_signed(headers, SIGNATURE, body, secrets)


def handshake(query: Mapping[str, str], tokens: Sequence[str]) -> str | None:
    """The answer to `hub.challenge`, where `hub.verify_token` is one of the tokens; None refuses."""
    return verification.challenge(query, tokens)
