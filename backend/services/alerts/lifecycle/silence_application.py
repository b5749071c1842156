"""Alerts that fire already follow a silence that was made, changed or ended: in turns, with the progress stored.

A turn takes a few alerts of one silence, then of the next one, so that no silence keeps another waiting. What a turn
began is counted beforehand: alerts that were begun five times without an end, because their process died or they
failed, are passed over, and the silence says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.exc import OperationalError

from backend.core import clock, failpoints
from backend.core.backoff import Backoff
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import NotFound
from backend.core.logging import get_logger
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Alert, AlertItem, AlertSilence
from backend.services.alerts.messages import notify, publish
from backend.services.alerts.rules import faults, matchers
from backend.services.alerts.rules.item_labels import ITEM_COLUMNS, labels_of
from backend.services.alerts.rules.matchers import Matcher, Meter, Rule
from backend.services.alerts.state import locked_alert

log = get_logger(__name__)
SLICE: Final = 50
"""Open alerts that are tested for a silence before the next silence has its turn."""
MAX_TRIES: Final = 5
BACKOFF: Final = Backoff(2.0, 60.0)
PASSED_OVER: Final = "alerts_passed_over"
_MAX_ITEMS: Final = 5_000


def waiting() -> Waiting:
    """Silences that alerts have still to follow."""
    return (_unapplied().with_only_columns(AlertSilence.id),)


def apply(turn: Turn) -> int:
    """Brings alerts in step with silences until the turn is over; returns how many silences are done. Commits.

    Each alert is a transaction of its own; a crash leaves alerts to be tested again, which changes nothing.
    """
    done = 0
    with system_scope("silences of all workspaces are applied here"):
        unapplied = [(row.id, row.workspace_id) for row in db.session.scalars(_unapplied().limit(20))]
        db.session.rollback()

    while unapplied:
        again = []
        for silence_id, workspace_id in unapplied:
            with workspace_scope(workspace_id):
                more = _apply_slice(silence_id, turn.is_over)
            done += more is None
            if more:
                again.append((silence_id, workspace_id))
            if turn.is_over():
                turn.go_on_later()
                return done
        unapplied = again
    return done


def _apply_slice(silence_id: int, is_over: Callable[[], bool]) -> bool | None:
    """The next alerts of one silence: None when it is done, False when it has to rest, True when more are left."""
    silence = db.session.get(AlertSilence, silence_id, populate_existing=True)
    if silence is None or silence.applied_at is not None:
        db.session.rollback()
        return False
    version, rules, cursor = silence.updated_at, matchers.read(silence.matchers), silence.applied_through
    holds = silence.disabled_code is None and silence.starts_at <= clock.now() < silence.ends_at
    alert_ids = _next_alerts(silence_id, cursor, holds)
    if not alert_ids:
        _store(silence_id, version, applied_at=clock.now(), apply_tries=0, apply_after=None)
        return None
    if silence.apply_tries >= MAX_TRIES:
        log.error("alert_silence_passed_over", silence_id=silence_id, after=cursor, through=alert_ids[-1])
        _store(silence_id, version, applied_through=alert_ids[-1], apply_tries=0, apply_code=PASSED_OVER)
        return True
    tries = silence.apply_tries + 1
    # A dead process leaves its try counted.
    _store(silence_id, version, apply_tries=tries, apply_after=clock.now() + BACKOFF.wait(tries, silence_id))
    failpoints.hit("alerts.silence_begun")
    rule: Rule = ("silence", silence_id)
    meter = Meter()
    concerned, seen = _concerned(rule, rules if holds else None, alert_ids, meter)
    code = meter.faults.get(rule)
    if code is not None and (code != matchers.TOO_COSTLY or not seen):
        # The pattern is none for this engine, or a whole meter was not enough for one alert.
        faults.switch_off(Meter(faults={rule: code}))
        db.session.commit()
        return True
    failed = False
    for alert_id in seen:
        if alert_id in concerned and not _follow(alert_id):
            failed = True
        if is_over() and not failed:
            seen = [seen_id for seen_id in seen if seen_id <= alert_id]
            break
    if not failed:
        # Behind the silences that have not had a turn.
        _store(silence_id, version, applied_through=seen[-1], apply_tries=0, apply_after=clock.now())
    return not failed


def _next_alerts(silence_id: int, cursor: int, holds: bool) -> Sequence[int]:
    """The next open alerts. A silence that does not hold concerns only those that it silenced."""
    query = select(Alert.id).where(Alert.resolved_at.is_(None), Alert.id > cursor)
    if not holds:
        silenced = select(AlertItem.alert_id).where(AlertItem.silence_id == silence_id)
        query = query.where(Alert.id.in_(silenced))
    return db.session.scalars(query.order_by(Alert.id).limit(SLICE)).all()


def _concerned(
    rule: Rule, rules: Sequence[Matcher] | None, alert_ids: Sequence[int], meter: Meter
) -> tuple[set[int], list[int]]:
    """Of these alerts those that the silence concerns or concerned, and those that were tested whole."""
    query = (
        select(*ITEM_COLUMNS)
        .join(Alert, Alert.id == AlertItem.alert_id)
        .where(AlertItem.alert_id.in_(alert_ids), AlertItem.resolved_at.is_(None))
        .order_by(AlertItem.alert_id, AlertItem.id)
        .limit(_MAX_ITEMS)
    )
    rows = db.session.execute(query).all()
    db.session.commit()
    end = rows[-1].alert_id if len(rows) == _MAX_ITEMS else None
    if end == alert_ids[0]:
        # More than are read at once: the alert itself tests all that it has.
        return {end}, [end]
    concerned: set[int] = set()
    for row in rows:
        if row.alert_id in concerned or row.alert_id == end:
            continue
        if row.silence_id == rule[1] or (rules is not None and matchers.matches(rules, labels_of(row), meter, rule)):
            concerned.add(row.alert_id)
        if meter.exhausted:
            end = row.alert_id
            break
    return concerned, [alert_id for alert_id in alert_ids if end is None or alert_id < end]


def _follow(alert_id: int) -> bool:
    """Applies the silences in force to one alert. False where it failed, which is logged whole."""
    try:
        case = locked_alert.by_id(alert_id)
        was = case.alert.silenced_until
        case.apply_silences()
        if case.alert.silenced_until != was:
            case.note("silenced" if case.alert.silenced_until else "unsilenced")
            publish.update_messages(case)
            if case.alert.silenced_until is None and case.alert.state == "firing" and was is not None:
                notify.notify(case, "unsilence" if case.alert.notifications else None)
        case.reschedule()
        db.session.commit()
    except NotFound:
        db.session.rollback()
    except OperationalError:
        db.session.rollback()
        raise
    except Exception:
        # One alert that cannot follow must not keep the others from it.
        db.session.rollback()
        log.exception("alert_silence_defect", alert_id=alert_id)
        return False
    return True


def _store(silence_id: int, version: Any, **values: Any) -> None:
    """Stores progress, unless the silence was changed meanwhile and begins again. Commits."""
    row = db.session.get(AlertSilence, silence_id, with_for_update=True, populate_existing=True)
    if row is not None and row.updated_at == version:
        for name, value in values.items():
            setattr(row, name, value)
    db.session.commit()


def _unapplied() -> Any:
    rested = or_(AlertSilence.apply_after.is_(None), AlertSilence.apply_after <= clock.now())
    return (
        select(AlertSilence)
        .where(AlertSilence.applied_at.is_(None), rested)
        .order_by(AlertSilence.apply_after.nulls_first(), AlertSilence.id)
    )


WORK: Final = register(Work("alert_silences", "notifications", waiting, apply))
