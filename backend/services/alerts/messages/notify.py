"""What makes an alert heard: its first sound, a repetition, an escalation."""

from __future__ import annotations

from backend.core import clock
from backend.models import Message
from backend.services.alerts.messages import attachments, failures, publish, targets
from backend.services.alerts.state.locked_alert import LockedAlert


def notify(case: LockedAlert, note: str | None = None) -> list[Message]:
    """Sends the alert to everybody it is for, with a sound; nothing while all that fires is silenced.

    An alert that reaches nobody this way goes to the admins. `note` says, as a code, why it comes (again).
    """
    case.apply_silences()
    alert = case.alert
    alert.notify_at = None
    if not case.firing:
        return []
    if alert.silenced_until is not None:
        case.note("silenced", until=alert.silenced_until.isoformat())
        case.request_edit()
        return []
    audience = targets.of_alert(alert, case.chat_ids, case.locale)
    alert.level = audience.level
    messages = publish.send(case, [*audience.chats, *audience.subscribers], note)
    case.mark_notified()
    case.note("notified", reason=note or "new", messages=len(messages), bot=alert.bot_name)
    own = messages[: len(audience.chats)]
    code = audience.code or publish.failure_of(own) or publish.pause_of(own)
    if code is not None:
        failures.undelivered(case, code)
    else:
        alert.undelivered_code = alert.undelivered_at = None
        if case.refresh_reach().is_partial:
            # Those who get it are told that others do not.
            publish.update_messages(case)
    if alert.attachment is not None:
        attachments.send_once(case)
    return messages


def escalate(case: LockedAlert) -> None:
    """Sends the alert to those whom its policy names for when nobody acknowledges it."""
    case.apply_silences()
    alert = case.alert
    if case.policy is None or alert.silenced_until is not None:
        return
    alert.escalated_at = clock.now()
    audience = targets.of_escalation(case.policy)
    messages = publish.send(case, audience.chats, "escalate")
    case.note("escalated", messages=len(messages))
    code = audience.code if not messages else publish.failure_of(messages)
    if code is not None or not messages:
        failures.undelivered(case, code or "no_chats")
