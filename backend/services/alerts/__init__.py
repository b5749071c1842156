"""Alerts: what is wrong becomes one living message that people act on, until it is over.

`raise_input` and `receive` take what is reported from outside, `raise_alert` what the product has to say itself;
`press` is a pressed button, `WORKS` are whatever happens by itself. What decides is pure (`ingest.keys`,
`rules.matchers`, `lifecycle.timing`, `lifecycle.states`, `messages.texts`); everything else is rows in one
transaction.
"""

from backend.services.alerts import bot_health as bot_health
from backend.services.alerts.history import Attribution
from backend.services.alerts.ingest.api_input import AlertInput, raise_alert, raise_input
from backend.services.alerts.ingest.grouping import Outcome
from backend.services.alerts.ingest.monitoring import receive
from backend.services.alerts.lifecycle import timers
from backend.services.alerts.messages import attachments as attachments
from backend.services.alerts.messages import failures
from backend.services.alerts.messages.buttons import press
from backend.services.alerts.rules import silence_application, warnings

WORKS = (failures.WORK, warnings.WORK, silence_application.WORK, timers.WORK)
"""What is done for alerts in the background."""

__all__ = [
    "WORKS",
    "AlertInput",
    "Attribution",
    "Outcome",
    "press",
    "raise_alert",
    "raise_input",
    "receive",
]
