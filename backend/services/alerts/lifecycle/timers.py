"""What happens by itself: waits, repetitions, ends of snoozes and silences, escalations, edits.

Each alert's next moment stands on its row. `run_due` takes what is due, one alert a transaction, in any number of
processes: a step and what it says are stored together, so a crash leaves the step to be done again, never half done.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.core import clock, failpoints
from backend.core.database import db, system_scope, workspace_scope
from backend.core.logging import get_logger
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Alert
from backend.services.alerts.lifecycle import endings
from backend.services.alerts.messages import notify, publish
from backend.services.alerts.state import locked_alert, timing
from backend.services.alerts.state.locked_alert import LockedAlert
from backend.services.alerts.state.timing import Step
from backend.services.auth.attribution import SYSTEM

log = get_logger(__name__)
_AGAIN: Final = timedelta(seconds=60)
_MAX_STEPS: Final = 10


def waiting() -> Waiting:
    """Alerts of which a step is due."""
    return (_due().with_only_columns(Alert.id),)


def run_due(turn: Turn) -> int:
    """Does the steps that are due until the turn is over; returns how many. Commits."""
    done = 0
    while (worked := _next()) is not None:
        done += worked
        if turn.is_over():
            turn.go_on_later()
            break
    return done


def _next() -> int | None:
    """One alert's steps; None when none is due."""
    with system_scope("alerts of all workspaces are read here"):
        alert = db.session.scalars(_due().limit(1).with_for_update(skip_locked=True)).one_or_none()
        if alert is None:
            db.session.rollback()
            return None
        alert_id, workspace_id = alert.id, alert.workspace_id
        try:
            with workspace_scope(workspace_id):
                done = run(locked_alert.of(alert))
                failpoints.hit("alerts.stepped_not_committed")
                db.session.commit()
        except OperationalError:
            db.session.rollback()
            raise
        except Exception:
            # One alert that cannot be stepped must not hold up the others: it is logged whole, and tried again later.
            db.session.rollback()
            log.exception("alert_step_defect", alert_id=alert_id)
            _put_off(alert_id)
            return 0
    return done


def run(case: LockedAlert) -> int:
    """Does everything that is due for this alert, in the caller's transaction; returns how many steps."""
    done = 0
    for _ in range(_MAX_STEPS):
        step = next((due for due in timing.upcoming(case.facts(), case.rules) if due.at <= clock.now()), None)
        if step is None:
            break
        _do(case, step)
        done += 1
    case.reschedule()
    return done


def _do(case: LockedAlert, step: Step) -> None:
    alert = case.alert
    if step.what == "notify":
        notify.notify(case, "joined" if alert.first_notified_at is not None else None)
    elif step.what == "repeat":
        notify.notify(case, "repeat")
    elif step.what == "escalate":
        notify.escalate(case)
    elif step.what in ("wake", "unacknowledge"):
        endings.reset_to_firing(case)
        case.note("woke" if step.what == "wake" else "unacknowledged")
        notify.notify(case, step.what)
    elif step.what == "unsilence":
        case.apply_silences()
        if alert.silenced_until is None:
            case.note("unsilenced")
            notify.notify(case, "unsilence" if alert.notifications else None)
    elif step.what == "resolve":
        endings.resolve(case, SYSTEM, "quiet")
    else:
        publish.update_messages(case)


def _put_off(alert_id: int) -> None:
    row = db.session.get(Alert, alert_id, with_for_update={"skip_locked": True}, populate_existing=True)
    if row is not None:
        row.due_at = clock.now() + _AGAIN
    db.session.commit()


def _due() -> Any:
    return select(Alert).where(Alert.due_at <= clock.now()).order_by(Alert.due_at, Alert.id)


WORK: Final = register(Work("alert_timers", "notifications", waiting, run_due))
