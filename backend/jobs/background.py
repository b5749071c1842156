"""Wakes the maintenance that may take long."""

from __future__ import annotations

from backend.services import housekeeping


def drain() -> int:
    """Runs the retention rules; returns how many rows they ended."""
    return housekeeping.retain()
