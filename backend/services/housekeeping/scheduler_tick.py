"""The tick: wakes the queues of works that the passing of time has made due: the scheduler and the instance's own jobs.

While Redis is away it does the work itself, in short turns, and beats after each: readiness counts on it.
"""

from __future__ import annotations

from backend.core import work
from backend.core.database import db
from backend.core.locking import advisory_lock, record_heartbeat
from backend.services.housekeeping.wakening import wake_or_run


def tick() -> bool:
    """Wakes what is due and not at work, or does it here when nobody can be woken; False when another process ticks."""
    with advisory_lock(db.engine, "tick") as lock:
        if lock is None:
            return False
        for timed in work.registered():
            if timed.timed:
                wake_or_run(timed, "tick")
        db.session.remove()
        record_heartbeat(db.engine, "tick")
    return True
