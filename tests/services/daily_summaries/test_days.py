"""Which days are due where, across clock changes: tables of cases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.services.daily_summaries.days import due_days, start_of


def at(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("UTC", "2026-02-26", "2026-02-26T00:00"),
        ("Asia/Seoul", "2026-02-26", "2026-02-25T15:00"),
        ("America/New_York", "2026-03-08", "2026-03-08T05:00"),
        ("America/New_York", "2026-03-09", "2026-03-09T04:00"),
        # Clocks are set forward at midnight: the day begins at one.
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00"),
        # Clocks are set back when it would be midnight: the day before is an hour longer.
        ("Asia/Beirut", "2026-10-25", "2026-10-24T22:00"),
        # Midnight comes twice: the day begins the first time.
        ("Atlantic/Azores", "2026-10-25", "2026-10-25T00:00"),
        # A day that never was: it begins, and ends, when the next one does.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
    ],
)
def test_when_a_local_day_begins(zone: str, day: str, expected: str) -> None:
    assert start_of(date.fromisoformat(day), ZoneInfo(zone)) == at(expected)


def test_every_day_of_a_year_begins_where_the_one_before_ended() -> None:
    for name in ("Africa/Cairo", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "Europe/Berlin"):
        zone = ZoneInfo(name)
        day, moment = date(2026, 1, 1), start_of(date(2026, 1, 1), zone)
        for _ in range(366):
            day += timedelta(days=1)
            following = start_of(day, zone)
            assert timedelta(hours=23) <= following - moment <= timedelta(hours=25), (name, day)
            assert following.astimezone(zone).date() == day
            assert (following - timedelta(seconds=1)).astimezone(zone).date() < day
            moment = following


@pytest.mark.parametrize(
    ("zone", "now", "until"),
    [
        ("UTC", "2026-02-26T08:59:59", "08:59"),
        ("UTC", "2026-02-26T09:00:00", "09:00"),
        ("Asia/Seoul", "2026-02-26T00:00:00", "09:00"),
        # 02:30 is skipped: it has passed when the clocks show 03:00.
        ("America/New_York", "2026-03-08T06:59:00", "01:59"),
        ("America/New_York", "2026-03-08T07:00:00", "03:00"),
        # 01:30 comes twice: it has passed the first time.
        ("America/New_York", "2026-11-01T05:30:00", "01:30"),
        ("America/New_York", "2026-11-01T06:10:00", "01:10"),
    ],
)
def test_what_the_clocks_show(zone: str, now: str, until: str) -> None:
    today, before = due_days([(zone, ZoneInfo(zone))], at(now))
    assert today.until == until
    assert before.until == "24:00"
    assert today.day - before.day == timedelta(days=1)
    assert before.end == today.start
    assert today.end == today.began
