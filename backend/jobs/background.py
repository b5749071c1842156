"""Wakes what may take long: mail servers, maintenance."""

from __future__ import annotations

from backend.core import queue
from backend.services import housekeeping, mail


def drain() -> int:
    """Sends the mails that are due, then runs the retention rules; returns how many mails and rows ended."""
    queue.clear_flag("background")
    return mail.drain() + housekeeping.retain()
