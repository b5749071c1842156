"""The instance's job that tells people of their day. It looks each minute, so that everybody is told at their time."""

from __future__ import annotations

from typing import Final

from backend.services import scheduling
from backend.services.daily_summaries.sending import send_due
from backend.services.scheduling import JobTurn, SystemJob, Timing


def _run(turn: JobTurn) -> int:
    return send_due(turn.left())


JOB: Final = scheduling.register_system_job(
    SystemJob("telegram_daily_summary", "notifications", Timing("interval", interval_seconds=60), _run)
)
