"""Scheduled messages: what a bot says to its chats by a schedule, each time at most once."""

from backend.services.scheduled_messages.messages import Planned, change, coming, create, get, listing, remove, run_now
from backend.services.scheduled_messages.queries import Occasion, history
from backend.services.scheduled_messages.sending import JOB, KIND

__all__ = [
    "JOB",
    "KIND",
    "Occasion",
    "Planned",
    "change",
    "coming",
    "create",
    "get",
    "history",
    "listing",
    "remove",
    "run_now",
]
