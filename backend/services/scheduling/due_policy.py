"""The decision on a schedule that is due: a pure function, with a table of cases in its tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.services.scheduling.timing import Timing, last_fire, next_fire

TOO_LATE = "too_late"
UNREADABLE = "unreadable_schedule"


@dataclass(frozen=True, slots=True)
class Plan:
    """The moment to fire for, the first that was missed before it, why it is not to be fired, and when the next is."""

    fire_at: datetime
    missed_since: datetime | None = None
    code: str | None = None
    next_fire_at: datetime | None = None


def plan(timing: Timing, due_at: datetime, now: datetime, latest: timedelta | None) -> Plan:
    """Decides on a schedule whose next fire was `due_at`, not after `now`.

    Of several moments that were missed only the last is fired for. One that is more than `latest` ago is not:
    `too_late`. A timing that can no longer be read (its zone is gone) is `unreadable_schedule` and has no next fire.
    """
    try:
        following = next_fire(timing, due_at)
        fire_at = due_at
        if following is not None and following <= now:
            fire_at = max(last_fire(timing, now) or due_at, due_at)
            following = next_fire(timing, max(fire_at, now))
    except ValueError:
        return Plan(due_at, code=UNREADABLE)
    late = latest is not None and now - fire_at > latest
    missed_since = due_at if fire_at > due_at else None
    return Plan(fire_at, missed_since, TOO_LATE if late else None, following)
