"""Wakes what leaves for other people's servers, and the maintenance that may take long."""

from __future__ import annotations

from backend.services import housekeeping


def drain() -> int:
    """Gives each work of the queue that has something to do its turns; returns how many things were done."""
    return housekeeping.run_queue("background")
