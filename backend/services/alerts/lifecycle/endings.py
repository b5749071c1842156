"""How an alert ends, and comes back."""

from __future__ import annotations

from backend.core import clock
from backend.models import Message
from backend.services.alerts.messages import publish
from backend.services.alerts.state.locked_alert import LockedAlert
from backend.services.auth.attribution import Attribution


def resolve(case: LockedAlert, by: Attribution, code: str) -> list[Message]:
    """Everything in it is over: its messages say so at once, and are answered where the policy wants that.

    One that never made a sound makes none now. `code` is `told`, `person` or `quiet`.
    """
    alert, now = case.alert, clock.now()
    for item in case.firing:
        item.resolved_at = now
        item.silenced_until = item.silence_id = None
    ends = [item.ended_at or item.resolved_at for item in case.items]
    alert.ended_at = max((end for end in ends if end), default=None) if code == "told" else None
    alert.state, alert.resolved_at, alert.resolved_code = "resolved", now, code
    alert.by_user_id, alert.by_name = by.user_id, by.name
    alert.notify_at = alert.snoozed_until = alert.silenced_until = None
    case.note("resolved", by, code=code)
    publish.clear_notes(case)
    publish.update_messages(case, news=True)
    if case.rules.resolve_reply:
        publish.answer_resolved(case)
    return [message for _, message in publish.current_messages(case)]


def reopen(case: LockedAlert, by: Attribution) -> None:
    """The alert is open again, in the messages it has. The caller says which of its items fire, and has it said."""
    case.alert.resolved_at = case.alert.resolved_code = case.alert.ended_at = None
    reset_to_firing(case)
    case.note("reopened", by)


def reset_to_firing(case: LockedAlert) -> None:
    """Takes back who acknowledged or snoozed it; the alert fires."""
    alert = case.alert
    alert.state = "firing"
    alert.by_user_id = alert.by_name = alert.acknowledged_at = alert.snoozed_until = None
