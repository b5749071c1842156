"""Proofs: secrets in headers, signatures over raw bytes, handshakes."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from backend.channels import verification

BODY = '{"text": "한\\/"}'.encode()


def signature(secret: str, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("sent", "secrets", "genuine"),
    [
        (signature("a"), ("a",), True),
        (signature("b"), ("a", "b"), True),
        (signature("a").upper(), ("a",), False),
        (signature("a").removeprefix("sha256="), ("a",), False),
        (signature("a", BODY + b" "), ("a",), False),
        (signature(""), ("",), False),
        (signature("a"), (), False),
        ("sha256=", ("a",), False),
        ("", ("a",), False),
        ("sha256=\udcff", ("a",), False),
    ],
)
def test_a_signature_is_over_the_raw_bytes_by_any_of_the_secrets(
    sent: str, secrets: tuple[str, ...], genuine: bool
) -> None:
    assert verification.is_signed({"X-Signature": sent}, "x-signature", BODY, secrets) is genuine


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": "t", "hub.challenge": "<1>"}, "<1>"),
        ({"hub.mode": "unsubscribe", "hub.verify_token": "t", "hub.challenge": "1"}, None),
        ({"hub.mode": "subscribe", "hub.verify_token": "x", "hub.challenge": "1"}, None),
        ({"hub.mode": "subscribe", "hub.verify_token": "", "hub.challenge": "1"}, None),
        ({"hub.mode": "subscribe", "hub.challenge": "1"}, None),
        ({"hub.mode": "subscribe", "hub.verify_token": "t", "hub.challenge": ""}, None),
        ({}, None),
    ],
)
def test_only_the_token_gets_the_challenge_back(query: dict[str, str], answer: str | None) -> None:
    assert verification.challenge(query, ("other", "t")) == answer
    assert verification.challenge(query, ()) is None
