"""When people of a workspace answer: local hours by weekday, in the workspace's zone. Pure functions.

Hours are `{"mon": [["09:00", "12:30"], ["13:30", "18:00"]], …}`; a day that is missing is free. Without any hours
people always answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from backend.services.texts.quiet_hours import local_instant

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOOK_DAYS: Final = 60
"""Further ahead no minutes are counted: every week has the same hours, so more only means very few of them."""
_MIDNIGHT: Final = "24:00"


class BadHours(ValueError):
    """Hours that cannot be; `day` names where, `code` is `bad_time`, `bad_order` or `overlap`."""

    def __init__(self, day: str, code: str) -> None:
        super().__init__(f"{day}: {code}")
        self.day, self.code = day, code


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """The hours of each weekday (Monday first), as (begin, end) in minutes of the day, and the zone they are in."""

    days: tuple[tuple[tuple[int, int], ...], ...]
    zone: tzinfo

    @classmethod
    def of(cls, stored: Mapping[str, Sequence[Sequence[str]]] | None, zone: str | None) -> WorkingHours | None:
        """The hours as they are stored; None where people always answer. Raises BadHours."""
        if not stored or not any(stored.values()):
            return None
        days = tuple(_of_day(day, stored.get(day, ())) for day in DAYS)
        return cls(days, ZoneInfo(zone or "UTC"))

    def is_open(self, now: datetime) -> bool:
        """Whether people answer at this moment (aware)."""
        return any(begin <= now < end for begin, end in self._around(now))

    def closed_since(self, now: datetime) -> datetime | None:
        """When the absence that lasts at `now` began (UTC); None while people answer. Without an end in the last week
        it is a week ago."""
        if self.is_open(now):
            return None
        ended = [end for _, end in self._between(now - timedelta(days=8), now) if end <= now]
        return max(ended, default=now.astimezone(UTC) - timedelta(days=7))

    def opens_at(self, now: datetime) -> datetime | None:
        """When people answer next, from `now` on (UTC); `now` itself while they do."""
        if self.is_open(now):
            return now.astimezone(UTC)
        return next((begin for begin, _ in self._between(now, now + timedelta(days=8)) if begin > now), None)

    def after(self, start: datetime, minutes: int) -> datetime:
        """The moment (UTC) at which so many minutes of working time have passed since `start` (aware)."""
        left = timedelta(minutes=minutes)
        for begin, end in self._between(start, start + timedelta(days=_LOOK_DAYS)):
            begin = max(begin, start)
            if end <= begin:
                continue
            if end - begin >= left:
                return (begin + left).astimezone(UTC)
            left -= end - begin
        return (start + timedelta(days=_LOOK_DAYS)).astimezone(UTC)

    def _around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        return self._between(now, now)

    def _between(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The intervals (UTC) of the local days from a day before `first` to a day after `last`, in their order."""
        day = first.astimezone(self.zone).date() - timedelta(days=1)
        until = last.astimezone(self.zone).date() + timedelta(days=1)
        while day <= until:
            for begin, end in self.days[day.weekday()]:
                yield self._instant(day, begin, fold=0), self._instant(day, end, fold=1)
            day += timedelta(days=1)

    def _instant(self, day: date, minutes: int, *, fold: int) -> datetime:
        if minutes == 24 * 60:
            day, minutes = day + timedelta(days=1), 0
        return local_instant(day, time(minutes // 60, minutes % 60), self.zone, fold=fold)


def due_at(hours: WorkingHours | None, start: datetime, minutes: int) -> datetime:
    """When an answer is due that may take so many minutes of working time from `start` (aware) on."""
    return start + timedelta(minutes=minutes) if hours is None else hours.after(start, minutes)


def _of_day(day: str, intervals: Sequence[Sequence[str]]) -> tuple[tuple[int, int], ...]:
    read = sorted((_minutes(day, pair[0]), _minutes(day, pair[1])) for pair in intervals)
    if any(begin >= end for begin, end in read):
        raise BadHours(day, "bad_order")
    if any(before[1] > after[0] for before, after in pairwise(read)):
        raise BadHours(day, "overlap")
    return tuple(read)


def _minutes(day: str, written: Any) -> int:
    if written == _MIDNIGHT:
        return 24 * 60
    try:
        read = time.fromisoformat(written)
    except (TypeError, ValueError):
        raise BadHours(day, "bad_time") from None
    if read.second or read.microsecond or read.tzinfo is not None:
        raise BadHours(day, "bad_time")
    return read.hour * 60 + read.minute
