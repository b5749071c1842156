"""The sweep: whatever was stored but not woken, expired, or must not be sent any more.

While Redis is away it does the work itself, in short turns, and beats after each: readiness counts on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import config, failpoints, queue
from backend.core.database import db
from backend.core.logging import get_logger
from backend.core.work import Work
from backend.models import Delivery
from backend.services import live, outgoing_webhooks, senders
from backend.services.dispatch import gate_sweep, recovery
from backend.services.housekeeping import vacuum
from backend.services.housekeeping.wakening import wake_or_run

log = get_logger(__name__)

_WAITING: Final = select(Delivery.id)
ENABLED = "sweep" not in (config.test_env("TEST_DISABLE") or "")
"""Only a test that proves the tests would notice switches it off."""
_RARE_SECONDS = 30.0
_next_rare = float("-inf")


def queries() -> tuple[Select[Any], Select[Any]]:
    """What has waited past its life, and whatever waits: only then there is something to do with the outbox."""
    return recovery.expired(), _WAITING


def run(due: Sequence[Work], *, is_expired: bool, is_waiting: bool, is_round: bool) -> bool:
    """Does what is due of the works, and what `queries` found; False after a defect in a step. Under the sweep's lock.

    In a round what need not be done every two seconds is done less often. Leaves no transaction open.
    """
    failpoints.hit("sweep.started")
    steps = [*_outbox_steps(is_expired, is_waiting), *_wakening_steps(due), *_rare_steps(is_round)]
    # Each step is done, whatever became of those before it.
    done = [_done(step) for step in steps]
    return all(done)


def _outbox_steps(is_expired: bool, is_waiting: bool) -> Iterator[Callable[[], object]]:
    if is_expired:
        yield recovery.expire
    if is_waiting:
        yield gate_sweep.apply
        yield partial(queue.wake_now, "dispatch")


def _wakening_steps(due: Sequence[Work]) -> Iterator[Callable[[], object]]:
    for waiting in due:
        if not waiting.timed:
            yield partial(wake_or_run, waiting, "sweep")


def is_rare_due() -> bool:
    """Whether what this process does less often is due in a round."""
    return time.monotonic() >= _next_rare


def _rare_steps(is_round: bool) -> Iterator[Callable[[], object]]:
    global _next_rare
    if is_round and not is_rare_due():
        return
    _next_rare = time.monotonic() + _RARE_SECONDS
    yield _ensure_environment
    yield senders.recheck_refused
    yield live.purge
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


def _ensure_environment() -> None:
    senders.ensure_environment_senders()
    outgoing_webhooks.ensure_environment_endpoints()
    db.session.commit()


def _tidy() -> None:
    # First: what this session has read it still holds, and tidying would wait for it in vain.
    db.session.remove()
    vacuum.tidy_queue_sometimes(db.engine)
