"""Wakes the maintenance that may take long."""

from __future__ import annotations

from backend.services import scheduling


def drain() -> int:
    """Gives each system job of the lane a turn; returns how many things they did."""
    return scheduling.run_lane("background")
