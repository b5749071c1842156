"""A provider that takes every question and answers none."""

from __future__ import annotations

from benchmarks.attacks import Attack, Target

_HANGS = "600000"
"""Milliseconds until the provider would answer."""


def _diagnostics(target: Target) -> None:
    """32 callers of one token ask for the checklist while the provider hangs, again and again."""
    target.on.provider("set", latency=_HANGS)
    try:
        rounds = 1 if target.quick else 3
        target.at_once(
            [lambda: [target.ask("GET", "/api/telegram/diagnostics") for _ in range(rounds)]] * 32,
        )
        body = {"token": "4100002:NOT-a-real-token-NOT-a-real-token"}
        target.at_once([lambda: target.ask("POST", "/api/telegram/validate-token", body)] * 8)
    finally:
        target.on.provider("set", latency="0")


ATTACKS = (Attack("32 callers ask what a hanging provider would say", _diagnostics),)
