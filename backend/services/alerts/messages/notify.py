"""Telling: an alert makes a sound, escalates, or quietly brings its messages up to date."""

from __future__ import annotations

from backend.core import clock
from backend.models import Message
from backend.services.alerts import history
from backend.services.alerts.lifecycle.locked_alert import LockedAlert
from backend.services.alerts.messages import attachments, failures, publish, targets


def tell(case: LockedAlert, note: str | None = None) -> list[Message]:
    """Says the alert to everybody it is for, with a sound; nothing while all that fires is silenced.

    An alert that reaches nobody this way goes to the admins. `note` says, as a code, why it comes (again).
    """
    case.apply_silences()
    alert = case.alert
    alert.notify_at = None
    if not case.firing:
        return []
    if alert.silenced_until is not None:
        history.note(alert, "silenced", until=alert.silenced_until.isoformat())
        case.request_edit()
        return []
    found = targets.of_bot(alert.workspace_id, alert.bot_name, chats_of(case), case.locale)
    alert.level = found.level
    people = targets.subscribers(alert, [place.conversation.id for place in found.destinations])
    messages = publish.say(case, [*found.destinations, *people], note)
    now = clock.now()
    alert.notifications += 1
    alert.notified_at = alert.edited_at = now
    alert.first_notified_at = alert.first_notified_at or now
    alert.edit_at = None
    history.note(alert, "notified", reason=note or "new", messages=len(messages), bot=alert.bot_name)
    own = messages[: len(found.destinations)]
    code = found.code or publish.failed(own) or publish.held_up(own)
    if code is None:
        alert.undelivered_code = alert.undelivered_at = None
        if case.look_at_reach().is_partial:
            # Those who get it are told that others do not.
            publish.bring_up_to_date(case)
    else:
        failures.undelivered(case, code)
    attachments.send_once(case)
    return messages


def escalate(case: LockedAlert) -> None:
    """Says the alert to those whom its policy names for when nobody acknowledges it."""
    case.apply_silences()
    alert = case.alert
    if case.policy is None or alert.silenced_until is not None:
        return
    alert.escalated_at = clock.now()
    found = targets.of_escalation(alert.workspace_id, case.policy)
    messages = publish.say(case, found.destinations, "escalate")
    history.note(alert, "escalated", messages=len(messages))
    code = found.code if not messages else publish.failed(messages)
    if code is not None or not messages:
        failures.undelivered(case, code or "no_chats")


def chats_of(case: LockedAlert) -> list[str]:
    """The chats that the alert's caller named."""
    return [one for one in (case.alert.chat_ids or "").split(",") if one]
