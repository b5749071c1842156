"""The tick: wakes the queues of works that the passing of time has made due: the scheduler and the instance's own jobs.

While Redis is away it does the work itself, in short turns, and beats after each: readiness counts on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from backend.core.work import Work
from backend.services.housekeeping.wakening import wake_or_run


def run(due: Iterable[Work]) -> None:
    """Wakes what is due by time and not at work, or does it here when nobody can be woken. Under the tick's lock."""
    for timed in due:
        if timed.timed:
            wake_or_run(timed, "tick")
