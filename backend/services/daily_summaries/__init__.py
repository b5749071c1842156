"""Daily summaries: each linked person is told, at their time, of the posts of yesterday in their zone.

A person's day is decided once, by the row that is stored with what they are told; whoever decides, and when.
"""

from typing import Final

from backend.services import scheduling
from backend.services.daily_summaries.sending import send_due
from backend.services.scheduling import SystemJob, Timing, Turn

__all__ = ["JOB", "send_due"]


def _run(turn: Turn) -> int:
    return send_due(turn.seconds)


JOB: Final = scheduling.register_system_job(
    SystemJob("telegram_daily_summary", "notifications", Timing("interval", interval_seconds=60), _run)
)
