"""Wakes what leaves for other people's servers, and the maintenance that may take long."""

from __future__ import annotations

from backend.services import outgoing_webhooks, posts, scheduling


def drain() -> int:
    """Sends webhooks, publishes posts, and gives each system job of the lane a turn; returns how many things."""
    return outgoing_webhooks.send_due() + posts.publish_due() + scheduling.run_lane("background")
