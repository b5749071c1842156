"""The outbox: what is to be said is stored here before it is sent, and every row knows why it waits.

Services call the functions exported below and nothing else; `services.dispatch` is the engine that sends it.
"""

from backend.services.delivery.cancellation import (
    block,
    cancel,
    cancel_of_sender,
    cancel_pending,
    mark_unreachable,
    unblock,
)
from backend.services.delivery.edits import delete, edit
from backend.services.delivery.explanations import explain, explain_code
from backend.services.delivery.operations import Operations, Waiting
from backend.services.delivery.operations import read as read_operations
from backend.services.delivery.outbox import (
    NOTIFICATION_LIFE,
    REPLY_LIFE,
    Priority,
    answer_callback,
    by_key,
    chat_action,
    presses_unanswered,
    release,
    send,
)
from backend.services.delivery.status import STATUS_COLUMNS, MessageStatus, Outbound, status_of, statuses_of

__all__ = [
    "NOTIFICATION_LIFE",
    "REPLY_LIFE",
    "STATUS_COLUMNS",
    "MessageStatus",
    "Operations",
    "Outbound",
    "Priority",
    "Waiting",
    "answer_callback",
    "block",
    "by_key",
    "cancel",
    "cancel_of_sender",
    "cancel_pending",
    "chat_action",
    "delete",
    "edit",
    "explain",
    "explain_code",
    "mark_unreachable",
    "presses_unanswered",
    "read_operations",
    "release",
    "send",
    "status_of",
    "statuses_of",
    "unblock",
]
