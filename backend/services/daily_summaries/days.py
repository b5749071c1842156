"""Which days are due where: local dates and times, across clock changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

CAUGHT_UP: Final = 2
"""On how many local days a summary may be told: the one on which it is due, and, where nothing ran then, the next. What
was missed for longer is left out, so that a long outage does not end in a heap of old news."""


@dataclass(frozen=True, slots=True)
class Due:
    """A day of a zone whose summary is due for those whose local time has come.

    `until` is the local time now: those who want it by then are due ("HH:MM"); on a day that is over, everybody.
    `began` is when the day on which it is told began, `start` and `end` bound the day that is told of. All aware, UTC.
    """

    zone: str
    day: date
    until: str
    began: datetime
    start: datetime
    end: datetime


def due_days(zones: Iterable[tuple[str, tzinfo]], now: datetime) -> list[Due]:
    """Every day that may be due in these zones at `now` (aware)."""
    due = []
    for name, zone in zones:
        local = now.astimezone(zone)
        for back in range(CAUGHT_UP):
            sent_on = local.date() - timedelta(days=back)
            day = sent_on - timedelta(days=1)
            # A time that a clock change skips has passed when the clocks show a later one; one that comes twice has
            # passed the first time. The wall clock says both.
            until = local.strftime("%H:%M") if back == 0 else "24:00"
            began = start_of(sent_on, zone)
            due.append(Due(name, day, until, began, start_of(day, zone), began))
    return due


def start_of(day: date, zone: tzinfo) -> datetime:
    """When a local day begins: at midnight, or where the clocks skip midnight, when the new day is first shown."""
    midnight = datetime.combine(day, time.min, zone)
    instant = midnight.astimezone(UTC)
    local = instant.astimezone(zone)
    if local.date() == day and local.time() == time.min:
        return instant
    # Before the change, in the gap, one reads the old offset; with the other fold the new one.
    candidates = [midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    low, high = min(candidates), max(candidates)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).date() < day:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
