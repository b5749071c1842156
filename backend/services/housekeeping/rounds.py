"""A round of housekeeping: the sweep and the tick, which ask together what there is to do.

Everything that may wait is asked about by one statement, the instance's jobs by another, and both parts leave their
heartbeats by a third: an idle installation pays for little more. What there is to do is done under the parts' locks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.core import config, work
from backend.core.database import db
from backend.core.locking import beat, fresh_heartbeats, try_locks
from backend.core.logging import get_logger
from backend.core.work import DueWork, Work
from backend.services.housekeeping import scheduler_tick, sweeper

log = get_logger(__name__)

PARTS: Final = ("sweep", "tick")
SECONDS: Final = float(config.test_env("TEST_ROUND_SECONDS") or 2.0)
"""Between two rounds of a process; tests of processes shorten it, so that many kills fit into a test run."""
_FRESH_SECONDS: Final = 0.9 * SECONDS
"""So long after a part's heartbeat no process does it again."""


def run(engine: Engine) -> set[str]:
    """Does the parts that no other process has just done or is doing; returns which. Leaves no transaction open.

    Where there is nothing to do the parts are done without their locks. `engine` is one of `core.database.for_loop`.
    Needs an app context.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        parts = _enabled(PARTS) - fresh_heartbeats(connection, PARTS, _FRESH_SECONDS)
        if not parts or (_is_idle(_find_due(parts, connection)) and not sweeper.is_rare_due()):
            beat(connection, sorted(parts))
            return parts
    return run_parts(parts, engine, is_round=True)


def run_parts(parts: Collection[str], engine: Engine, *, is_round: bool = False) -> set[str]:
    """Does these parts, except those that another process is doing; returns which it did.

    In a round what need not be done every two seconds is done less often.
    """
    parts = _enabled(parts)
    with engine.connect() as connection:
        held = try_locks(connection, sorted(parts)) if parts else set()
        completed = _run_held(held, is_round) if held else set()
        db.session.remove()
        beat(connection, sorted(completed))
        connection.commit()
    return held


def _enabled(parts: Collection[str]) -> set[str]:
    return {part for part in parts if part != "sweep" or sweeper.ENABLED}


def _run_held(held: Collection[str], is_round: bool) -> set[str]:
    """Does the parts whose locks are held; returns those that completed."""
    due = _find_due(held)
    completed: set[str] = set()
    if "sweep" in held:
        is_expired, is_waiting = due.further
        if sweeper.run(due.works, is_expired=is_expired, is_waiting=is_waiting, is_round=is_round) and not due.defects:
            completed.add("sweep")
    if "tick" in held and _ticks(due.works):
        completed.add("tick")
    return completed


def _find_due(parts: Collection[str], by: Connection | None = None) -> DueWork:
    works = [registered for registered in work.registered() if ("tick" if registered.timed else "sweep") in parts]
    return work.find_due(works, *(sweeper.queries() if "sweep" in parts else ()), by=by)


def _is_idle(due: DueWork) -> bool:
    return not (due.works or any(due.further) or due.defects)


def _ticks(due: Sequence[Work]) -> bool:
    try:
        scheduler_tick.run(due)
    except (DBAPIError, PoolTimeout):
        raise
    except Exception as error:
        # A defect in one part must not end the other; readiness shows that no beat came.
        db.session.rollback()
        log.exception("housekeeping_defect", part="tick", error=type(error).__name__)
        return False
    return True
