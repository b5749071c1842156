"""The sweep: whatever was stored but not woken, expired, or must not be sent any more.

While Redis is away it does the work itself, in short turns, and beats after each: readiness counts on it.
"""

from __future__ import annotations

from collections.abc import Callable

from backend.core import config, failpoints, queue
from backend.core.database import db
from backend.core.locking import beat, only_one
from backend.services import alerts, intake, live, mail, outgoing_webhooks, posts, senders
from backend.services.delivery import recovery
from backend.services.housekeeping import upkeep
from backend.services.notifications import attachments
from backend.services.scheduled_messages import fetching

SWEEP_SECONDS = 2.0
ENABLED = "sweep" not in (config.test_hook("TEST_DISABLE") or "")
"""Only a test that proves the tests would notice switches it off."""

_TURN_SECONDS = 3.0


def _drain_intake() -> int:
    return intake.drain(_TURN_SECONDS)


def _fetch_attachments() -> int:
    # One, and not for long. A file that takes longer is tried again; in the end its address goes out in its place.
    return attachments.fetch_waiting(0.0, timeout=_TURN_SECONDS)


def _fetch_scheduled() -> int:
    return fetching.fetch_waiting(0.0, timeout=_TURN_SECONDS)


def _step_alerts() -> int:
    return alerts.run_due(_TURN_SECONDS / 2, timeout=_TURN_SECONDS / 2)


def _send_mail() -> int:
    return mail.drain(0.0, timeout=_TURN_SECONDS)


def _send_webhooks() -> int:
    return outgoing_webhooks.send_due(_TURN_SECONDS / 3)


def _publish_posts() -> int:
    return posts.publish_due(_TURN_SECONDS / 3)


# A lane's wake-up, whether something waits for it, and how to do the work here when Redis is away.
_LANES: tuple[tuple[str, Callable[[], int], Callable[[], int]], ...] = (
    ("intake", intake.waiting, _drain_intake),
    ("notifications", attachments.waiting, _fetch_attachments),
    ("notifications", fetching.waiting, _fetch_scheduled),
    ("notifications", alerts.waiting, _step_alerts),
    ("background", mail.waiting, _send_mail),
    ("background", outgoing_webhooks.waiting, _send_webhooks),
    ("background", posts.waiting, _publish_posts),
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
                beat(db.engine, "sweep")
        senders.recheck_refused()
        live.purge()
        queue.wake_now("dispatch")
        # First: what this session has read it still holds, and tidying would wait for it in vain.
        db.session.remove()
        upkeep.tidy_queue_sometimes(db.engine)
        beat(db.engine, "sweep")
    return True
