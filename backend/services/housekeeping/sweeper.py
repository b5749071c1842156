"""The sweep: whatever was stored but not woken, expired, or must not be sent any more.

While Redis is away it does the work itself, in short turns, and beats after each: readiness counts on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import config, failpoints, queue, work
from backend.core.database import db
from backend.core.locking import advisory_lock, record_heartbeat
from backend.core.logging import get_logger
from backend.core.work import Work
from backend.services import live, senders
from backend.services.dispatch import gate_sweep, recovery
from backend.services.housekeeping import vacuum
from backend.services.housekeeping.wakening import wake_or_run

log = get_logger(__name__)

SWEEP_SECONDS = 2.0
ENABLED = "sweep" not in (config.test_env("TEST_DISABLE") or "")
"""Only a test that proves the tests would notice switches it off."""


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
    yield gate_sweep.apply
    for waiting in work.registered():
        if not waiting.timed:
            yield partial(wake_or_run, waiting, "sweep")
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
        subject = step.args[0]
        return f"{step.func.__name__}.{subject.name if isinstance(subject, Work) else subject}"
    return getattr(step, "__name__", "step")


def _ensure_bot() -> None:
    senders.ensure_environment_senders()
    db.session.commit()


def _tidy() -> None:
    # First: what this session has read it still holds, and tidying would wait for it in vain.
    db.session.remove()
    vacuum.tidy_queue_sometimes(db.engine)
