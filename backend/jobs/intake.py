"""Wakes the intake."""

from __future__ import annotations

from backend.services import intake


def drain() -> int:
    """Processes the webhook events that wait; returns how many ended."""
    return intake.drain()
