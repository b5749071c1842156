"""Wakes what notifications leave for the background: alerts' timers, and fetching attachments."""

from __future__ import annotations

from backend.services import alerts
from backend.services.notifications import attachments


def drain() -> int:
    """Does what alerts have due, then fetches the attachments that wait; returns how much was done."""
    return alerts.run_due() + attachments.fetch_waiting(60.0, timeout=30.0)
