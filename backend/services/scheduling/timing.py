"""When something is due: pure functions of a timing and a moment.

Cron expressions name local times. One that a zone skips fires at the end of the gap; one that comes twice fires the
first time. An expression that holds in every hour names no time of day, so it goes by the time that passes: it neither
rests for the repeated hour nor adds a fire at the gap's end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from backend.core.errors import Invalid

Kind = Literal["cron", "interval", "once"]
SHORTEST: Final = 10
"""Seconds of the shortest interval; the scheduler looks every two."""
LONGEST: Final = 366 * 24 * 3600
_FURTHEST: Final = timedelta(days=20 * 366)
_FIELDS: Final = 5
_MAX_CRON: Final = 200
"""Characters of a cron expression."""
_HOURS: Final = 24
_FOLD: Final = timedelta(hours=3)
"""More than any zone sets its clocks back at once."""
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timing:
    """A cron expression (five fields, local in `timezone`), an interval, or one moment.

    `run_at` (aware) is the moment of a `once`; an interval begins there and is counted from it, by default from 1970.
    """

    kind: Kind
    cron: str | None = None
    interval_seconds: int | None = None
    run_at: datetime | None = None
    timezone: str = "UTC"


def check(timing: Timing, now: datetime) -> None:
    """Raises Invalid unless it fires after `now`.

    The codes: `bad_cron`, `unknown_timezone`, `past_date`, `date_too_far`, `bad_interval`.
    """
    try:
        zone_of(timing.timezone)
    except ValueError:
        raise Invalid.of("timezone", "unknown_timezone", "This is not the name of a time zone.") from None
    if timing.kind == "interval":
        if timing.interval_seconds is None or not SHORTEST <= timing.interval_seconds <= LONGEST:
            raise Invalid.of("interval_seconds", "bad_interval", f"An interval has {SHORTEST} to {LONGEST} seconds.")
        if timing.run_at is not None and timing.run_at > now + _FURTHEST:
            raise Invalid.of("run_at", "date_too_far", "This moment is too far away.")
    elif timing.kind == "once":
        if timing.run_at is None or timing.run_at <= now:
            raise Invalid.of("run_at", "past_date", "A moment that is still to come is needed.")
        if timing.run_at > now + _FURTHEST:
            raise Invalid.of("run_at", "date_too_far", "This moment is too far away.")
    else:
        try:
            fire_at = next_fire(timing, now)
        except ValueError:
            fire_at = None
        if fire_at is None:
            raise Invalid.of("cron", "bad_cron", "This is not a cron expression of five fields that ever holds.")


def next_fire(timing: Timing, after: datetime) -> datetime | None:
    """The first moment after `after` (both aware), in UTC; None when there is none.

    A cron expression is searched for in the fifty years that follow, day by day at most: one that holds at all holds
    within forty (a 29 February that is a Monday, where 2100 is no leap year).

    Raises ValueError for a cron expression or a zone that cannot be read.
    """
    if timing.kind == "once":
        return timing.run_at if timing.run_at is not None and timing.run_at > after else None
    if timing.kind == "interval":
        step, origin = _interval(timing)
        return origin if after < origin else origin + ((after - origin) // step + 1) * step
    return _next_cron(timing.cron or "", timing.timezone, after.astimezone(UTC))


def next_fires(timing: Timing, after: datetime, count: int) -> list[datetime]:
    """The first `count` moments after `after`, fewer where there are no more; see `next_fire`."""
    fires: list[datetime] = []
    while len(fires) < count and (moment := next_fire(timing, after)) is not None:
        fires.append(moment)
        after = moment
    return fires


def last_fire(timing: Timing, until: datetime) -> datetime | None:
    """The last moment that is not after `until` (both aware), in UTC; None when there is none."""
    if timing.kind == "once":
        return timing.run_at if timing.run_at is not None and timing.run_at <= until else None
    if timing.kind == "interval":
        step, origin = _interval(timing)
        return None if until < origin else origin + ((until - origin) // step) * step
    return _last_cron(timing.cron or "", timing.timezone, until.astimezone(UTC))


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of this IANA name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone") from None


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment of a local time without a zone: the gap's end for one that is skipped, the first of two."""
    offered = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _local(offered, zone) == local:
        return offered
    # Read with the offset before the gap, a skipped time lies as far behind its end as into it.
    before, after = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    assert before is not None
    assert after is not None
    return _change(offered - (after - before), offered, zone)


def _change(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The moment between two, found by halving, from which the zone has the later one's offset."""
    offset = _offset(late, zone)
    early = early.replace(microsecond=0)
    while late - early > _SECOND:
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if _offset(middle, zone) == offset:
            late = middle
        else:
            early = middle
    return late


def _interval(timing: Timing) -> tuple[timedelta, datetime]:
    if not timing.interval_seconds or timing.interval_seconds < 1:
        raise ValueError("an interval without seconds")
    return timedelta(seconds=timing.interval_seconds), timing.run_at or _EPOCH


def _parse(expression: str, local: datetime, *, reverse: bool = False) -> CronSim:
    if len(expression) > _MAX_CRON or len(expression.split()) != _FIELDS:
        raise ValueError("not five fields")
    try:
        return CronSim(expression, local, reverse)
    except (CronSimError, AssertionError, TypeError) as error:
        raise ValueError(str(error)) from None


@lru_cache(maxsize=1024)
def _names_hours(expression: str) -> bool:
    return len(_parse(expression, datetime(2000, 1, 1)).hours) < _HOURS  # noqa: DTZ001 - only its fields are asked for


@lru_cache(maxsize=4096)
def _next_cron(expression: str, zone_name: str, after: datetime) -> datetime | None:
    zone = zone_of(zone_name)
    try:
        if not _names_hours(expression):
            return _next_passing(expression, zone, after)
        local = _local(after, zone)
        return next(
            fire_at
            for fire_at in (instant(local_time, zone) for local_time in _parse(expression, local))
            if fire_at > after
        )
    except (StopIteration, OverflowError):
        return None


@lru_cache(maxsize=4096)
def _last_cron(expression: str, zone_name: str, until: datetime) -> datetime | None:
    zone = zone_of(zone_name)
    try:
        if not _names_hours(expression):
            return _last_passing(expression, zone, until)
        backwards = _parse(expression, _local(until + _FOLD, zone), reverse=True)
        return next(fire_at for fire_at in (instant(local_time, zone) for local_time in backwards) if fire_at <= until)
    except (StopIteration, OverflowError):
        return None


# By the time that passes: as in a place whose offset never changes, and again from each change on.


def _next_passing(expression: str, zone: ZoneInfo, after: datetime) -> datetime:
    moment, offset = after, _offset(after, zone)
    while True:
        passing = (next(_parse(expression, (moment + offset).replace(tzinfo=None))) - offset).replace(tzinfo=UTC)
        if _offset(passing, zone) == offset:
            return passing
        if passing - moment > 2 * _DAY:
            # Nothing holds on the days between, whatever the offset.
            moment = passing - _DAY
            offset = _offset(moment, zone)
        else:
            changed = _change(moment, passing, zone)
            moment, offset = changed - _SECOND, _offset(changed, zone)


def _last_passing(expression: str, zone: ZoneInfo, until: datetime) -> datetime:
    moment, offset = until.replace(microsecond=0), _offset(until, zone)
    while True:
        behind = (moment + _SECOND + offset).replace(tzinfo=None)
        passing = (next(_parse(expression, behind, reverse=True)) - offset).replace(tzinfo=UTC)
        if _offset(passing, zone) == offset:
            return passing
        moment = passing + _DAY if moment - passing > 2 * _DAY else _change(passing, moment, zone) - _SECOND
        offset = _offset(moment, zone)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)
