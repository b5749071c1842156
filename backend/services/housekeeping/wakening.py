"""Wakening: a work that is due has its queue woken, or is given a short turn here while nobody can be woken."""

from __future__ import annotations

from typing import Final, Literal

from backend.core import queue
from backend.core.database import db
from backend.core.locking import record_heartbeat
from backend.core.work import Turn, Work

AWAY_SECONDS: Final = 2.0
"""How long a turn is while Redis is away."""


def wake_or_run(work: Work, part: Literal["sweep", "tick"]) -> None:
    """Wakes the queue of a work that is due. While Redis is away the work is done here, with a heartbeat of `part`
    after its turn: readiness counts on it."""
    if not queue.wake_now(work.queue):
        work.take_turn(Turn(AWAY_SECONDS))
        record_heartbeat(db.engine, part)
