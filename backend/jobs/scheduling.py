"""Wakes the scheduler: what workspaces have planned."""

from __future__ import annotations

from backend.services import scheduling


def drain() -> int:
    """Fires what is due and carries it out, then the lane's system jobs; returns how many fires."""
    return scheduling.drain() + scheduling.run_lane(scheduling.LANE)
