"""Alerts: what is wrong becomes one message that follows it and that people act on, until it is over.

`compose` makes the words of an alert, `raise_input` and `receive` take what is reported from outside, `raise_alert`
what the product reports itself; `press` is a pressed button, `WORKS` is what is done in the background. What decides is
pure (`state.keys`, `rules.matchers`, `state.timing`, `state.states`, `messages.texts`); everything else is
rows in one transaction.
"""

from backend.services.alerts import bot_health as bot_health
from backend.services.alerts import channel_health as channel_health
from backend.services.alerts import late_answers as late_answers
from backend.services.alerts.ingest import rule_warnings
from backend.services.alerts.ingest.api_input import AlertInput, raise_alert, raise_input
from backend.services.alerts.ingest.monitoring import receive
from backend.services.alerts.ingest.reports import Outcome
from backend.services.alerts.lifecycle import silence_application, timers
from backend.services.alerts.lifecycle.button_presses import press
from backend.services.alerts.messages import attachments as attachments
from backend.services.alerts.messages import failures
from backend.services.alerts.rules.templates import compose
from backend.services.auth.attribution import Attribution

WORKS = (failures.WORK, rule_warnings.WORK, silence_application.WORK, timers.WORK)
"""What is done for alerts in the background."""

__all__ = [
    "WORKS",
    "AlertInput",
    "Attribution",
    "Outcome",
    "compose",
    "press",
    "raise_alert",
    "raise_input",
    "receive",
]
