"""Notifications: an event about a person becomes a message in their linked chat, or a recorded reason why not.

`report` takes events; `press` their buttons; `preferences_of` and `change` what a person wants. Rendering and deciding
are pure (`texts`, `templates`, `decision`, `quiet_hours`). Failures of delivery reach the job history by themselves.
"""

from backend.services.notifications import attachments as attachments
from backend.services.notifications import failures as failures
from backend.services.notifications import mentions as mentions
from backend.services.notifications import replacement as replacement
from backend.services.notifications.attaching import Attachment
from backend.services.notifications.buttons import press
from backend.services.notifications.explanations import explain
from backend.services.notifications.recipients import link_state_of
from backend.services.notifications.reporting import KIND, plain_data, report
from backend.services.notifications.retry import RetryHandler, retry_available
from backend.services.notifications.retry import register as register_retry
from backend.services.notifications.settings import Preferences, change, preferences_of
from backend.services.notifications.subjects import was_told
from backend.services.notifications.test_notification import send_test_message

__all__ = [
    "KIND",
    "Attachment",
    "Preferences",
    "RetryHandler",
    "change",
    "explain",
    "link_state_of",
    "plain_data",
    "preferences_of",
    "press",
    "register_retry",
    "report",
    "retry_available",
    "send_test_message",
    "was_told",
]
