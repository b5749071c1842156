"""Wakes what notifications leave for the background: fetching attachments."""

from __future__ import annotations

from backend.services.notifications import attachments


def drain() -> int:
    """Fetches the attachments that wait; returns how many were settled."""
    return attachments.fetch_waiting(60.0, timeout=30.0)
