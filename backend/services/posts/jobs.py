"""The instance's job that publishes what is due; a wake-up after each commit makes it sooner than its next minute."""

from __future__ import annotations

from typing import Final

from backend.services import scheduling
from backend.services.posts import outcomes, publishing
from backend.services.scheduling import SystemJob, Timing, Turn


def _run(turn: Turn) -> int:
    return publishing.publish_due(turn.seconds)


EXECUTE: Final = scheduling.register_system_job(
    SystemJob("execute_scheduled_posts", outcomes.LANE, Timing("interval", interval_seconds=60), _run)
)
