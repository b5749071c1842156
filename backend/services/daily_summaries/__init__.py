"""Daily summaries: each linked person is told, at their time, of the posts of yesterday in their zone.

A person's day is decided once, by the row that is stored with what they are told; whoever decides, and when.
"""

from backend.services.daily_summaries.jobs import JOB
from backend.services.daily_summaries.sending import send_due

__all__ = ["JOB", "send_due"]
