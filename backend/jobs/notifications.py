"""Wakes what notifications leave for the background: fetching attachments, and the system jobs of the lane."""

from __future__ import annotations

from backend.services import scheduling
from backend.services.notifications import attachments


def drain() -> int:
    """Fetches the attachments that wait, then runs the lane's jobs; returns how many were settled."""
    return attachments.fetch_waiting(60.0, timeout=30.0) + scheduling.run_lane("notifications")
