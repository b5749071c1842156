"""Wakes what leaves for other people's servers, and the maintenance that may take long."""

from __future__ import annotations

from backend.core import queue
from backend.services import mail, outgoing_webhooks, posts, scheduling


def drain() -> int:
    """Sends mails and webhooks, publishes posts, gives each system job of the lane a turn; returns how many things."""
    queue.clear_flag("background")
    return mail.drain() + outgoing_webhooks.send_due() + posts.publish_due() + scheduling.run_lane("background")
