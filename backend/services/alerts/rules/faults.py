"""Silences and policies whose patterns cost too much, or are none: they are switched off, with a code."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from backend.core import clock, queue
from backend.core.database import db
from backend.core.logging import get_logger
from backend.models import AlertPolicy, AlertSilence
from backend.services.alerts.rules.matchers import Meter, Rule
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM

log = get_logger(__name__)
MODELS: Final[dict[str, type[AlertSilence] | type[AlertPolicy]]] = {"silence": AlertSilence, "policy": AlertPolicy}
_KEY: Final = "pattern_meter"


def meter() -> Meter:
    """The meter of the transaction under way: all the rules that it tests share one."""
    session = db.session()
    transaction = session.get_transaction() or session.begin()
    kept = session.info.get(_KEY)
    if kept is None or kept[0] is not transaction:
        session.info[_KEY] = kept = (transaction, Meter())
    shared: Meter = kept[1]
    return shared


def switch_off(spent: Meter) -> None:
    """Switches off the rules that a meter blames, in the caller's transaction. Nobody's lock is waited for.

    Whoever holds a rule is changing it, and it is judged again next time.
    """
    while spent.faults:
        rule, code = spent.faults.popitem()
        _switch_off(rule, code)


def apply_anew(silence: AlertSilence) -> None:
    """Has the alerts that a silence concerns brought in step with it, from the first one on."""
    silence.applied_at = silence.apply_after = silence.apply_code = None
    silence.applied_through = silence.apply_tries = 0


def forgive(rule: AlertSilence | AlertPolicy) -> None:
    """A rule that somebody changed is tried again."""
    if rule.disabled_code is not None:
        rule.disabled_code = rule.disabled_at = None
        queue.wake("notifications")


def _switch_off(rule: Rule, code: str) -> None:
    kind, rule_id = rule
    model: Any = MODELS[kind]
    row = db.session.scalars(
        select(model)
        .where(model.id == rule_id, model.disabled_code.is_(None))
        .with_for_update(key_share=True, skip_locked=True)
    ).one_or_none()
    if row is None:
        return
    row.disabled_code, row.disabled_at, row.disabled_told_at = code, clock.now(), None
    if isinstance(row, AlertSilence):
        row.updated_at = clock.now()
        apply_anew(row)
    audit.record(SYSTEM, f"alert_{kind}.switched_off", f"alert_{kind}:{rule_id}", code=code)
    log.warning("alert_rule_switched_off", rule=kind, rule_id=rule_id, code=code)
    queue.wake("notifications")
