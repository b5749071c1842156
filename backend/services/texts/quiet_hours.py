"""When a person does not want to be disturbed: local wall-clock times, across midnight and clock changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` until `end`, in the person's zone; over midnight when `end` is the earlier one. Never equal."""

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("quiet hours begin and end at different times")


def quiet_until(hours: QuietHours, zone: tzinfo, now: datetime) -> datetime | None:
    """The end (UTC) of the quiet hours that hold at `now` (aware), or None.

    A local time that a clock change skips counts as the end of the gap; one that happens twice starts the quiet
    hours the first time and ends them the second time, on the side of quiet.
    """
    today = now.astimezone(zone).date()
    for first in (today - timedelta(days=1), today):
        last = first if hours.start < hours.end else first + timedelta(days=1)
        start = local_instant(first, hours.start, zone, fold=0)
        end = local_instant(last, hours.end, zone, fold=1)
        if start <= now < end:
            return end
    return None


def local_instant(day: date, at: time, zone: tzinfo, *, fold: int) -> datetime:
    """The instant (UTC) of a local time; the end of the gap for one that a clock change skips, and by `fold` the first
    (0) or second (1) of one that happens twice."""
    local = datetime.combine(day, at.replace(fold=fold), zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0):
        return instant
    return _end_of_gap(local)


def _end_of_gap(local: datetime) -> datetime:
    # In a gap the two folds are the offsets after (1) and before (0) the change, so the change itself lies between.
    low = local.replace(fold=1).astimezone(UTC)
    high = local.replace(fold=0).astimezone(UTC)
    before = low.astimezone(local.tzinfo).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(local.tzinfo).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
