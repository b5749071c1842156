"""The sweep: whatever was stored but not woken, expired, or must not be sent any more."""

from __future__ import annotations

from collections.abc import Callable

from backend.core import config, failpoints, queue
from backend.core.database import db
from backend.services import intake, senders
from backend.services.delivery import recovery
from backend.services.housekeeping.locking import beat, only_one
from backend.services.notifications import attachments

SWEEP_SECONDS = 2.0
ENABLED = "sweep" not in (config.test_hook("TEST_DISABLE") or "")
"""Only a test that proves the tests would notice switches it off."""

# A lane's wake-up, whether something waits for it, and how to do the work here when Redis is away.
_LANES: tuple[tuple[str, Callable[[], int], Callable[[], int]], ...] = (
    ("intake", intake.waiting, intake.drain),
    ("notifications", attachments.waiting, attachments.fetch_waiting),
)


def sweep() -> bool:
    """Runs once if no other process does; False otherwise. Needs an app context; leaves no transaction open."""
    if not ENABLED:
        return False
    with only_one(db.engine, "sweep") as lock:
        if lock is None:
            return False
        failpoints.hit("sweep.started")
        senders.ensure_environment_bot()
        db.session.commit()
        recovery.expire()
        recovery.cancel_blocked()
        recovery.explain_disabled()
        for lane, waiting, work in _LANES:
            if waiting() and not queue.wake_now(lane):
                # Redis only runs the work; without it the sweep does.
                work()
        queue.wake_now("dispatch")
        db.session.remove()
        beat(db.engine, "sweep")
    return True
