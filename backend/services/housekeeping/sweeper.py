"""The sweep: whatever was stored but not woken, expired, or must not be sent any more.

While Redis is away it does the work itself, in short turns, and beats after each: readiness counts on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import config, failpoints, queue
from backend.core.database import db
from backend.core.locking import advisory_lock, record_heartbeat
from backend.core.logging import get_logger
from backend.services import alerts, intake, live, mail, outgoing_webhooks, posts, senders
from backend.services.auth import password_resets
from backend.services.dispatch import recovery
from backend.services.housekeeping import vacuum
from backend.services.notifications import attachments
from backend.services.scheduled_messages import file_fetches

log = get_logger(__name__)

SWEEP_SECONDS = 2.0
ENABLED = "sweep" not in (config.test_env("TEST_DISABLE") or "")
"""Only a test that proves the tests would notice switches it off."""

_TURN_SECONDS = 3.0


def _drain_intake() -> int:
    return intake.drain(_TURN_SECONDS)


def _fetch_attachments() -> int:
    # One, and not for long. A file that takes longer is tried again; in the end its address goes out in its place.
    return attachments.fetch_waiting(0.0, timeout=_TURN_SECONDS)


def _fetch_scheduled() -> int:
    return file_fetches.fetch_waiting(0.0, timeout=_TURN_SECONDS)


def _step_alerts() -> int:
    return alerts.run_due(_TURN_SECONDS / 2, timeout=_TURN_SECONDS / 2)


def _mail_waiting() -> int:
    return password_resets.waiting() or mail.waiting()


def _send_mail() -> int:
    return password_resets.answer_requests() + mail.drain(0.0, timeout=_TURN_SECONDS)


def _send_webhooks() -> int:
    return outgoing_webhooks.send_due(_TURN_SECONDS / 3)


def _publish_posts() -> int:
    return posts.publish_due(_TURN_SECONDS / 3)


# A lane's wake-up, whether something waits for it, and how to do the work here when Redis is away.
_LANES: tuple[tuple[str, Callable[[], int], Callable[[], int]], ...] = (
    ("intake", intake.waiting, _drain_intake),
    ("notifications", attachments.waiting, _fetch_attachments),
    ("notifications", file_fetches.waiting, _fetch_scheduled),
    ("notifications", alerts.waiting, _step_alerts),
    ("background", _mail_waiting, _send_mail),
    ("background", outgoing_webhooks.waiting, _send_webhooks),
    ("background", posts.waiting, _publish_posts),
)


def sweep() -> bool:
    """Runs once if no other process does; False otherwise. Needs an app context; leaves no transaction open."""
    if not ENABLED:
        return False
    with advisory_lock(db.engine, "sweep") as lock:
        if lock is None:
            return False
        failpoints.hit("sweep.started")
        # Each step is done, whatever became of those before it.
        done = [_done(step) for step in _steps()]
        if all(done):
            record_heartbeat(db.engine, "sweep")
    return True


def _steps() -> Iterator[Callable[[], object]]:
    yield _ensure_bot
    yield recovery.expire
    yield recovery.cancel_blocked
    yield recovery.explain_disabled
    for lane in _LANES:
        yield partial(_wake, *lane)
    yield senders.recheck_refused
    yield live.purge
    yield partial(queue.wake_now, "dispatch")
    yield _tidy


def _done(step: Callable[[], object]) -> bool:
    """Does one step; False after a defect in it, which must not keep the others from being done. No beat comes then,
    so that readiness shows it. Raises what a database raises."""
    try:
        step()
    except (DBAPIError, PoolTimeout):
        raise
    except Exception as error:
        db.session.rollback()
        log.exception("sweep_defect", step=_name(step), error=type(error).__name__)
        return False
    return True


def _name(step: Callable[[], object]) -> str:
    if isinstance(step, partial):
        return ".".join([step.func.__name__, *(str(one) for one in step.args[:1])])
    return getattr(step, "__name__", "step")


def _ensure_bot() -> None:
    senders.ensure_environment_bot()
    db.session.commit()


def _wake(lane: str, waiting: Callable[[], int], work: Callable[[], int]) -> None:
    if waiting() and not queue.wake_now(lane):
        # Redis only runs the work; without it the sweep does.
        work()
        record_heartbeat(db.engine, "sweep")


def _tidy() -> None:
    # First: what this session has read it still holds, and tidying would wait for it in vain.
    db.session.remove()
    vacuum.tidy_queue_sometimes(db.engine)
