"""People are told of rules that were switched off by themselves: by an alert, which ends when the rule is mended."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from backend.channels import richtext
from backend.core import clock, i18n
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn, Waiting, Work, register
from backend.models import AlertPolicy, AlertSilence, User
from backend.services.alerts.ingest import api_input
from backend.services.alerts.rules.faults import MODELS

_BATCH: Final = 20


def waiting() -> Waiting:
    """Rules of which somebody is still to hear."""
    return tuple(_unreported(model) for model in MODELS.values())


def report_changes(turn: Turn) -> int:
    """Raises an alert for each rule that was switched off, and ends those of mended ones; returns how many. Commits."""
    reported = 0
    for kind, model in MODELS.items():
        with system_scope("rules of all workspaces are read here"):
            unreported = db.session.execute(_unreported(model).limit(_BATCH)).all()
            db.session.rollback()
        for rule_id, workspace_id in unreported:
            with workspace_scope(workspace_id):
                _report(kind, model, rule_id)
                db.session.commit()
                reported += 1
            if turn.is_over():
                turn.go_on_later()
                return reported
    return reported


def _report(kind: str, model: Any, rule_id: int) -> None:
    rule: AlertSilence | AlertPolicy | None = db.session.get(
        model, rule_id, with_for_update={"key_share": True, "skip_locked": True}, populate_existing=True
    )
    if rule is None or (rule.disabled_code is None) == (rule.disabled_told_at is None):
        return
    key = f"alert_rule_switched_off:{kind}:{rule_id}"
    if rule.disabled_code is None:
        rule.disabled_told_at = None
        api_input.raise_alert("-", key=key, resolved=True)
        return
    rule.disabled_told_at = clock.now()
    locale = _locale()
    name = rule.name if isinstance(rule, AlertPolicy) else str(rule.id)
    api_input.raise_alert(
        richtext.shorten(i18n.text(f"alerts.switched_off.{kind}", locale, name=name), api_input.MAX_TITLE),
        richtext.escape(i18n.text(f"alerts.switched_off.{rule.disabled_code}", locale)),
        key=key,
        labels={"check": "alert_rule", "rule": f"{kind}:{rule_id}"},
    )


def _locale() -> str:
    """The language of the workspace's first admin."""
    query = select(User.locale).where(User.role == "admin").order_by(User.id).limit(1)
    return db.session.execute(query).scalar_one_or_none() or i18n.DEFAULT


def _unreported(model: Any) -> Any:
    differs = model.disabled_code.is_(None) != model.disabled_told_at.is_(None)
    return select(model.id, model.workspace_id).where(differs).order_by(model.id)


WORK: Final = register(Work("alert_rule_warnings", "notifications", waiting, report_changes))
