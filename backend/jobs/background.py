"""Wakes what leaves for other people's servers, and the maintenance that may take long."""

from __future__ import annotations

from backend.core import queue
from backend.services import mail, outgoing_webhooks, posts, scheduling
from backend.services.auth import password_resets


def drain() -> int:
    """Answers forgotten passwords, sends mails and webhooks, publishes posts, runs system jobs; returns how many."""
    queue.clear_flag("background")
    ended = password_resets.answer_requests() + mail.drain()
    return ended + outgoing_webhooks.send_due() + posts.publish_due() + scheduling.run_lane("background")
