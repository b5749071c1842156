"""What people do with an alert: acknowledge, snooze, wake, resolve, reopen, silence. Each in the caller's transaction.

The new state, the messages' edits, the trace and the audit are stored together: none of them is lost without the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict, Invalid, field_error
from backend.models import Alert, AlertItem, AlertSilence
from backend.services.alerts import queries
from backend.services.alerts.lifecycle import endings
from backend.services.alerts.messages import publish
from backend.services.alerts.rules import item_labels, matchers, silences
from backend.services.alerts.state import locked_alert, states
from backend.services.alerts.state.locked_alert import LockedAlert
from backend.services.alerts.state.states import Action
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution

SNOOZE_SECONDS: Final = 3600
SILENCE_SECONDS: Final = 2 * 3600
MAX_SECONDS: Final = 30 * 86_400


def apply(alert_id: int, action: Action, by: Attribution, *, seconds: int = SNOOZE_SECONDS) -> tuple[LockedAlert, bool]:
    """Applies an action and has the messages show it; False where it was so already. `seconds` is how long to snooze.

    Raises NotFound, Conflict(`alert_resolved`; `alert_open`: another alert of the same group is open).
    """
    if action == "reopen":
        _lock_group(alert_id)
    case = locked_alert.by_id(alert_id)
    following = states.after(case.alert.state, action)  # type: ignore[arg-type]  # a text column holding exactly these
    if following is None:
        if states.too_late(case.alert.state, action):  # type: ignore[arg-type]
            raise Conflict("alert_resolved", "This alert is resolved already.")
        return case, False
    _change(case, action, following, by, seconds)
    audit.record(by, f"alert.{states.DONE[action]}", f"alert:{alert_id}", **_whom(by))
    if action != "resolve":
        case.note(states.DONE[action], by)
        case.apply_silences()
        publish.update_messages(case, news=action == "reopen")
    case.reschedule()
    return case, True


def resolve_items(alert_id: int, item_ids: Sequence[int], by: Attribution) -> LockedAlert:
    """Resolves some of an alert's items, and the alert with the last of them. Raises NotFound, Invalid."""
    case = locked_alert.by_id(alert_id)
    chosen = [item for item in case.items if item.id in set(item_ids)]
    if len(chosen) != len(set(item_ids)):
        fault = field_error("item_ids", "item_not_found", "The alert has no such item.")
        raise Invalid("item_not_found", "The alert has no such item.", detail=[fault])
    now = clock.now()
    for item in chosen:
        item.resolved_at = item.resolved_at or now
    audit.record(by, "alert.items_resolved", f"alert:{alert_id}", count=len(chosen), **_whom(by))
    if case.firing:
        case.note("items_resolved", by, count=len(chosen))
        case.update_severity()
        case.apply_silences()
        publish.update_messages(case)
    elif case.alert.state != "resolved":
        endings.resolve(case, by, "person")
    case.reschedule()
    return case


def silence(alert_id: int, by: Attribution, *, seconds: int = SILENCE_SECONDS) -> AlertSilence:
    """Silences exactly what this alert is about. Raises NotFound, Conflict."""
    case = locked_alert.by_id(alert_id)
    alert = case.alert
    if alert.state == "resolved":
        raise Conflict("alert_resolved", "This alert is resolved already.")
    now = clock.now()
    silenced = silences.make(by, matchers_of(case), now, now + timedelta(seconds=seconds), comment=None)
    case.apply_silences()
    case.note("silenced", by, until=silenced.ends_at.isoformat())
    publish.update_messages(case)
    case.reschedule()
    return silenced


def _change(case: LockedAlert, action: Action, following: str, by: Attribution, seconds: int) -> None:
    alert, now = case.alert, clock.now()
    if action == "resolve":
        endings.resolve(case, by, "person")
    elif action == "reopen":
        ended = alert.resolved_at
        endings.reopen(case, by)
        for item in case.items:
            if item.resolved_at == ended:
                item.resolved_at = item.ended_at = None
    elif action in ("unack", "wake"):
        endings.reset_to_firing(case)
    else:
        alert.state, alert.by_user_id, alert.by_name = following, by.user_id, by.name
        alert.acknowledged_at = now
        alert.snoozed_until = now + timedelta(seconds=seconds) if action == "snooze" else None


def _lock_group(alert_id: int) -> None:
    """Before the alert's own row, like everybody; refuses where another alert took the group over meanwhile."""
    key = db.session.scalars(select(Alert.group_key).where(Alert.id == alert_id)).one_or_none()
    if key is None:
        return
    locked_alert.lock_group(key)
    other = select(Alert.id).where(Alert.group_key == key, Alert.resolved_at.is_(None), Alert.id != alert_id)
    if db.session.execute(other).first() is not None:
        raise Conflict("alert_open", "It fires already, in a newer alert.")


def silence_matchers(alert_id: int) -> list[dict[str, str]]:
    """The matchers that silence exactly this alert, without locking it. Raises NotFound."""
    alert = queries.get(alert_id)
    items = db.session.scalars(select(AlertItem).where(AlertItem.alert_id == alert_id).order_by(AlertItem.id)).all()
    return matchers_of(LockedAlert(alert, list(items), None))


def matchers_of(case: LockedAlert) -> list[dict[str, str]]:
    """What makes this alert the one it is: all of its labels, else its title, else its group; always with its bot.

    Whatever it is, everything that fires in the alert matches it.
    """
    alert = case.alert
    seen = [item_labels.seen_labels(item, alert.bot_name, alert.group_key) for item in case.firing or case.items]
    pairs = [(name, value) for name, value in alert.labels.items() if _holds_for_all(seen, name, value)]
    if not any(value and name != "bot_name" for name, value in pairs):
        pairs = [("title", seen[0]["title"])] if seen else []
    whole = len(pairs) < matchers.MAX_MATCHERS and all(
        0 < len(name) <= matchers.MAX_LABEL and len(value) <= matchers.MAX_VALUE and _holds_for_all(seen, name, value)
        for name, value in pairs
    )
    if not pairs or not whole:
        # Some of the labels would silence others as well; the group is exactly what is in this message.
        pairs = [(matchers.GROUP, seen[0][matchers.GROUP])] if seen else [("title", alert.title)]
    if "bot_name" not in dict(pairs) and _holds_for_all(seen, "bot_name", alert.bot_name):
        pairs.append(("bot_name", alert.bot_name))
    return [{"label": name, "op": "=", "value": value} for name, value in pairs]


def _holds_for_all(seen: Sequence[Mapping[str, str]], name: str, value: str) -> bool:
    return all(labels.get(name, "") == value for labels in seen)


def _whom(by: Attribution) -> dict[str, Any]:
    return {"by": f"user:{by.user_id}"} if by.user_id is not None and by.via == "telegram" else {}
