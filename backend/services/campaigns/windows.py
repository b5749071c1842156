"""Sending windows: hours of the week in a recipient's own zones, right over clock changes. Pure.

A recipient's `Hours` are windows, each in one zone, all of which have to be open: a phone number may stand for several
zones, and a law may forbid the night.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from backend.services.texts.quiet_hours import local_instant

EVERY_DAY: Final = frozenset(range(7))
MAX_SEARCH: Final = timedelta(days=15)
"""An opening that all zones share comes within this time or never: windows repeat each week."""
_DAY: Final = timedelta(days=1)


_END_OF_DAY: Final = "24:00"


@dataclass(frozen=True, slots=True)
class Window:
    """Days (Monday is 0) and local times; `until` is excluded. Midnight as `until` is the end of the day.

    With `until` before `start` it goes over midnight, and belongs to the day on which it starts.
    """

    days: frozenset[int]
    start: time
    until: time

    def __post_init__(self) -> None:
        if not self.days or not self.days <= EVERY_DAY:
            raise ValueError("a window has days from 0 (Monday) to 6")

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Window:
        """The window that was stored as `{days, from, to}`; `24:00` is the end of the day, like `00:00`."""
        start = time.fromisoformat(stored["from"])
        until = time(0) if stored["to"] == _END_OF_DAY else time.fromisoformat(stored["to"])
        return cls(frozenset(stored["days"]), start, until)

    def to_json(self) -> dict[str, Any]:
        """The window as it is stored."""
        return {
            "days": sorted(self.days),
            "from": self.start.isoformat("minutes"),
            "to": _END_OF_DAY if self.until == time(0) else self.until.isoformat("minutes"),
        }


@dataclass(frozen=True, slots=True)
class ZonedWindow:
    """A window in one zone, by the zone's name."""

    window: Window
    zone: str


Hours = tuple[ZonedWindow, ...]
"""Windows that all have to be open; without any, every moment is open."""
ALWAYS: Final[Hours] = ()


def hours(window: Window | None, zones: Iterable[str], *others: ZonedWindow) -> Hours:
    """The hours of a window in these zones, and of other windows."""
    own = [ZonedWindow(window, zone) for zone in sorted(set(zones))] if window is not None else []
    return (*own, *others)


def is_open(given: Hours, moment: datetime) -> bool:
    """Whether all windows are open at a moment (aware)."""
    return all(_interval_at(zoned, moment) is not None for zoned in given)


def next_opening(given: Hours, moment: datetime) -> datetime | None:
    """The first moment (UTC) from `moment` on at which all windows are open; None where they never are together."""
    end = moment + MAX_SEARCH
    candidate = moment.astimezone(UTC)
    while candidate < end:
        latest = candidate
        for zoned in given:
            opening = _opening(zoned, latest)
            if opening is None:
                return None
            latest = opening
        if latest == candidate:
            return candidate
        candidate = latest
    return None


def closing(given: Hours, moment: datetime) -> datetime | None:
    """When the first of the windows closes, given a moment at which all are open; None where none ever closes."""
    ends = [interval[1] for zoned in given if (interval := _interval_at(zoned, moment)) is not None]
    return min(ends, default=None)


def _interval_at(zoned: ZonedWindow, moment: datetime) -> tuple[datetime, datetime] | None:
    today = moment.astimezone(_zone(zoned.zone)).date()
    for day in (today - _DAY, today, today + _DAY):
        interval = _interval(zoned, day)
        if interval is not None and interval[0] <= moment < interval[1]:
            return interval
    return None


def _opening(zoned: ZonedWindow, moment: datetime) -> datetime | None:
    if _interval_at(zoned, moment) is not None:
        return moment
    first = moment.astimezone(_zone(zoned.zone)).date() - _DAY
    for offset in range(MAX_SEARCH.days + 2):
        interval = _interval(zoned, first + timedelta(days=offset))
        if interval is not None and interval[0] >= moment:
            return interval[0]
    return None


@lru_cache(maxsize=4096)
def _interval(zoned: ZonedWindow, day: date) -> tuple[datetime, datetime] | None:
    """The stretch (UTC) of the window that starts on a local day; None where there is none.

    A start that happens twice is the second, so that nothing goes out before the clock finally says so; an end that
    happens twice is the first.
    """
    window, zone = zoned.window, _zone(zoned.zone)
    if day.weekday() not in window.days:
        return None
    last = day if window.start < window.until else day + _DAY
    until = local_instant(last, window.until, zone, fold=0)
    start = local_instant(day, window.start, zone, fold=1)
    if start >= until:
        start = local_instant(day, window.start, zone, fold=0)
    return (start, until) if start < until else None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
