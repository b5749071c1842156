"""Wakes the intake: what providers say."""

from __future__ import annotations

from backend.services import housekeeping


def drain() -> int:
    """Gives each work of the queue that has something to do its turns; returns how many things were done."""
    return housekeeping.run_queue("intake")
