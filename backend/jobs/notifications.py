"""Wakes what notifications leave for the background: alerts' timers, attachments, and the system jobs of the lane."""

from __future__ import annotations

from backend.services import alerts, scheduling
from backend.services.notifications import attachments
from backend.services.scheduled_messages import file_fetches


def drain() -> int:
    """Does what alerts have due, fetches what waits, then runs the lane's jobs; returns how much was done."""
    done = alerts.run_due() + attachments.fetch_waiting(60.0, timeout=30.0)
    done += file_fetches.fetch_waiting(60.0, timeout=30.0)
    return done + scheduling.run_lane("notifications")
