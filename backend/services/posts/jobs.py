"""The instance's job that publishes what is due; a wake-up after each commit makes it sooner than its next minute."""

from __future__ import annotations

from typing import Final

from backend.core.work import Turn
from backend.services import scheduling
from backend.services.posts import outcomes, publishing
from backend.services.scheduling import JobTurn, SystemJob, Timing


def _run(turn: JobTurn) -> int:
    # A turn of its own: what it leaves is the work `posts`, and the run has ended.
    return publishing.publish_due(Turn(turn.left()))


EXECUTE: Final = scheduling.register_system_job(
    SystemJob("execute_scheduled_posts", outcomes.LANE, Timing("interval", interval_seconds=60), _run)
)
