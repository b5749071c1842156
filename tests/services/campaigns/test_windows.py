"""Sending windows: openings in a set of zones, over clock changes, midnight and days."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.services.campaigns import windows
from backend.services.campaigns.windows import EVERY_DAY, Window, ZonedWindow

WORKDAYS = Window(frozenset(range(5)), time(9), time(18))
DAILY = Window(EVERY_DAY, time(9), time(18))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "zones", "moment", "opening"),
    [
        # Inside, at the edges: the end is excluded.
        (WORKDAYS, ["Europe/Berlin"], "2026-11-30T10:00", "2026-11-30T10:00"),
        (WORKDAYS, ["Europe/Berlin"], "2026-11-30T08:00", "2026-11-30T08:00"),
        (WORKDAYS, ["Europe/Berlin"], "2026-11-30T07:59:59", "2026-11-30T08:00"),
        (WORKDAYS, ["Europe/Berlin"], "2026-11-30T17:00", "2026-12-01T08:00"),
        (WORKDAYS, ["Europe/Berlin"], "2026-11-30T16:59:59", "2026-11-30T16:59:59"),
        # Over a weekend.
        (WORKDAYS, ["Europe/Berlin"], "2026-12-04T17:30", "2026-12-07T08:00"),
        # The day is the recipient's: Monday morning in Auckland is Sunday here.
        (WORKDAYS, ["Pacific/Auckland"], "2026-11-29T20:00", "2026-11-29T20:00"),
        (WORKDAYS, ["Pacific/Auckland"], "2026-11-29T19:59", "2026-11-29T20:00"),
        # Zones at the ends of the world.
        (DAILY, ["Pacific/Kiritimati"], "2026-11-30T00:00", "2026-11-30T00:00"),
        (DAILY, ["Pacific/Kiritimati"], "2026-11-30T04:00", "2026-11-30T19:00"),
        (DAILY, ["Etc/GMT+12"], "2026-11-30T20:59", "2026-11-30T21:00"),
        # A number that may be in eleven zones: Kaliningrad's evening ends before Kamchatka's morning begins.
        (
            Window(EVERY_DAY, time(8), time(20)),
            ["Europe/Kaliningrad", "Asia/Kamchatka"],
            "2026-11-30T00:00",
            "2026-11-30T06:00",
        ),
        # Two zones: only where both are open.
        (DAILY, ["Europe/Berlin", "America/New_York"], "2026-11-30T08:00", "2026-11-30T14:00"),
        (DAILY, ["Europe/Berlin", "America/New_York"], "2026-11-30T17:00", "2026-12-01T14:00"),
        # Clocks go forward in Berlin on 2026-03-29: nine o'clock comes an hour earlier.
        (DAILY, ["Europe/Berlin"], "2026-03-28T17:00", "2026-03-29T07:00"),
        (DAILY, ["Europe/Berlin"], "2026-03-27T17:00", "2026-03-28T08:00"),
        # And back on 2026-10-25.
        (DAILY, ["Europe/Berlin"], "2026-10-24T16:00", "2026-10-25T08:00"),
        # Half an hour's change, on Lord Howe.
        (DAILY, ["Australia/Lord_Howe"], "2026-10-03T09:00", "2026-10-03T22:00"),
        # A start that the clock skips is the end of the gap.
        (Window(EVERY_DAY, time(2, 30), time(5)), ["Europe/Berlin"], "2026-03-29T00:00", "2026-03-29T01:00"),
        # A start that comes twice is the second.
        (Window(EVERY_DAY, time(2, 30), time(5)), ["Europe/Berlin"], "2026-10-25T00:00", "2026-10-25T01:30"),
        # Over midnight: it belongs to the day on which it starts.
        (Window(frozenset({4}), time(22), time(2)), ["UTC"], "2026-12-05T01:59", "2026-12-05T01:59"),
        (Window(frozenset({4}), time(22), time(2)), ["UTC"], "2026-12-05T02:00", "2026-12-11T22:00"),
        # Until midnight.
        (Window(EVERY_DAY, time(20), time(0)), ["UTC"], "2026-12-05T23:59", "2026-12-05T23:59"),
        (Window(EVERY_DAY, time(20), time(0)), ["UTC"], "2026-12-06T00:00", "2026-12-06T20:00"),
    ],
)
def test_next_opening(window: Window, zones: list[str], moment: str, opening: str) -> None:
    found = windows.next_opening(windows.hours(window, zones), utc(moment))
    assert found == utc(opening)
    assert windows.is_open(windows.hours(window, zones), utc(opening))


def test_zones_without_a_common_hour_never_open() -> None:
    never = windows.hours(Window(EVERY_DAY, time(9), time(12)), ["Pacific/Auckland", "America/New_York"])
    assert windows.next_opening(never, utc("2026-11-30T00:00")) is None


def test_no_window_is_always_open() -> None:
    assert windows.hours(None, ["Europe/Berlin"]) == windows.ALWAYS
    assert windows.next_opening(windows.ALWAYS, utc("2026-11-30T03:00")) == utc("2026-11-30T03:00")
    assert windows.closing(windows.ALWAYS, utc("2026-11-30T03:00")) is None


def test_another_window_has_to_be_open_too() -> None:
    """Nothing at night in Korea, whatever the campaign's own window says."""
    no_night = ZonedWindow(Window(EVERY_DAY, time(8), time(21)), "Asia/Seoul")
    given = windows.hours(Window(EVERY_DAY, time(0), time(0)), ["Asia/Seoul"], no_night)
    assert windows.next_opening(given, utc("2026-11-30T12:00")) == utc("2026-11-30T23:00")
    assert windows.next_opening(windows.hours(None, [], no_night), utc("2026-11-30T11:59")) == utc("2026-11-30T11:59")


def test_closing_is_the_first_end() -> None:
    given = windows.hours(DAILY, ["Europe/Berlin", "America/New_York"])
    assert windows.closing(given, utc("2026-11-30T15:00")) == utc("2026-11-30T17:00")


def test_every_moment_of_a_year_agrees_with_the_wall_clock() -> None:
    """Away from clock changes within the window, open is what the clock on the wall says."""
    zones = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca"]
    for zone in zones:
        given = windows.hours(WORKDAYS, [zone])
        moment = utc("2026-01-01T00:07")
        while moment < utc("2027-01-01T00:00"):
            local = moment.astimezone(ZoneInfo(zone))
            assert windows.is_open(given, moment) == (local.weekday() < 5 and 9 <= local.hour < 18), (zone, moment)
            moment += timedelta(minutes=97)


def test_a_window_is_stored_and_read() -> None:
    assert Window.of(WORKDAYS.to_json()) == WORKDAYS
    assert WORKDAYS.to_json() == {"days": [0, 1, 2, 3, 4], "from": "09:00", "to": "18:00"}
    with pytest.raises(ValueError, match="days"):
        Window(frozenset({7}), time(9), time(18))


@pytest.mark.parametrize("to", ["24:00", "00:00"])
def test_a_day_ends_at_its_end(to: str) -> None:
    """Told as 24:00 or as 00:00, and always shown as 24:00."""
    window = Window.of({"days": list(range(7)), "from": "00:00", "to": to})
    late = utc("2026-11-30T23:59:59")
    assert windows.next_opening((ZonedWindow(window, "Etc/UTC"),), late) == late
    assert window.to_json()["to"] == "24:00"
