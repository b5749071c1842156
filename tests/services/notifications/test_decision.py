"""The decision on an event, as tables: wishes, quiet hours across midnight and clock changes, versions."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.services.notifications.decision import QUEUED, Decision, DeliveryPreferences, LastSent, LinkState, decide
from backend.services.texts.quiet_hours import QuietHours, quiet_until

NOON = datetime(2026, 2, 26, 12, 0, tzinfo=UTC)
NIGHT = QuietHours(time(22), time(7))
QUIET = DeliveryPreferences(quiet=QuietHours(time(11), time(13)))
MUTED = DeliveryPreferences(muted=True)


@pytest.mark.parametrize(
    ("link", "preferences", "critical", "expected"),
    [
        ("active", DeliveryPreferences(), False, QUEUED),
        ("active", DeliveryPreferences(), True, QUEUED),
        ("active", MUTED, False, Decision("suppressed", "muted")),
        ("active", MUTED, True, QUEUED),
        ("active", QUIET, False, Decision("deferred", "quiet_hours", datetime(2026, 2, 26, 13, tzinfo=UTC))),
        ("active", QUIET, True, QUEUED),
        ("active", DeliveryPreferences(muted=True, quiet=QUIET.quiet), False, Decision("suppressed", "muted")),
        ("none", DeliveryPreferences(), False, Decision("suppressed", "not_linked")),
        ("none", MUTED, True, Decision("suppressed", "not_linked")),
        ("blocked", DeliveryPreferences(), False, Decision("suppressed", "blocked")),
        ("blocked", MUTED, True, Decision("suppressed", "blocked")),
        ("paused", DeliveryPreferences(), False, Decision("suppressed", "paused")),
        ("paused", DeliveryPreferences(), True, Decision("suppressed", "paused")),
    ],
)
def test_who_is_told(link: LinkState, preferences: DeliveryPreferences, critical: bool, expected: Decision) -> None:
    assert decide(link=link, preferences=preferences, critical=critical, now=NOON) == expected


@pytest.mark.parametrize(
    ("version", "last_sent", "stale"),
    [
        (None, None, False),
        (1, None, False),
        (1, LastSent(None), False),
        (None, LastSent(None), False),
        (None, LastSent(3), False),
        (4, LastSent(3), False),
        (3, LastSent(3), True),
        (2, LastSent(3), True),
        (-1, LastSent(0), True),
    ],
)
def test_only_a_newer_version_is_told(version: int | None, last_sent: LastSent | None, stale: bool) -> None:
    decided = decide(
        link="active", preferences=DeliveryPreferences(), critical=True, now=NOON, version=version, last_sent=last_sent
    )
    assert decided == (Decision("suppressed", "stale_version") if stale else QUEUED)


@pytest.mark.parametrize(
    ("link", "reason"), [("none", "not_linked"), ("blocked", "blocked"), ("paused", "stale_version")]
)
def test_what_keeps_everything_away_is_named_before_an_old_version(link: LinkState, reason: str) -> None:
    decided = decide(link=link, preferences=MUTED, critical=False, now=NOON, version=1, last_sent=LastSent(2))
    assert decided == Decision("suppressed", reason)


@pytest.mark.parametrize(
    ("zone", "hours", "now", "until"),
    [
        # Within a day, half open.
        ("UTC", ("13:00", "15:00"), "2026-02-26T12:59:59+00:00", None),
        ("UTC", ("13:00", "15:00"), "2026-02-26T13:00:00+00:00", "2026-02-26T15:00:00+00:00"),
        ("UTC", ("13:00", "15:00"), "2026-02-26T15:00:00+00:00", None),
        # Over midnight.
        ("UTC", ("22:00", "07:00"), "2026-02-26T23:00:00+00:00", "2026-02-27T07:00:00+00:00"),
        ("UTC", ("22:00", "07:00"), "2026-02-27T06:59:59+00:00", "2026-02-27T07:00:00+00:00"),
        ("UTC", ("22:00", "07:00"), "2026-02-27T07:00:00+00:00", None),
        ("UTC", ("22:00", "00:00"), "2026-02-26T23:59:00+00:00", "2026-02-27T00:00:00+00:00"),
        ("UTC", ("00:00", "06:00"), "2026-02-27T00:00:00+00:00", "2026-02-27T06:00:00+00:00"),
        # In the person's zone, which has another date.
        ("Asia/Seoul", ("22:00", "07:00"), "2026-02-26T13:00:00+00:00", "2026-02-26T22:00:00+00:00"),
        ("Asia/Seoul", ("22:00", "07:00"), "2026-02-26T12:59:00+00:00", None),
        ("Pacific/Kiritimati", ("22:00", "07:00"), "2026-02-26T10:00:00+00:00", "2026-02-26T17:00:00+00:00"),
        ("Asia/Kolkata", ("22:00", "07:00"), "2026-02-26T17:00:00+00:00", "2026-02-27T01:30:00+00:00"),
        # Berlin, spring: 02:00 becomes 03:00 on 29 March; the night is an hour shorter.
        ("Europe/Berlin", ("22:00", "07:00"), "2026-03-28T23:00:00+00:00", "2026-03-29T05:00:00+00:00"),
        # An end that is skipped is the end of the gap; so is a start.
        ("Europe/Berlin", ("22:00", "02:30"), "2026-03-28T23:00:00+00:00", "2026-03-29T01:00:00+00:00"),
        ("Europe/Berlin", ("02:30", "04:00"), "2026-03-29T00:59:59+00:00", None),
        ("Europe/Berlin", ("02:30", "04:00"), "2026-03-29T01:00:00+00:00", "2026-03-29T02:00:00+00:00"),
        ("Europe/Berlin", ("02:10", "02:50"), "2026-03-29T01:00:00+00:00", None),
        # Berlin, autumn: 03:00 becomes 02:00 on 25 October; the night is an hour longer.
        ("Europe/Berlin", ("22:00", "07:00"), "2026-10-24T21:00:00+00:00", "2026-10-25T06:00:00+00:00"),
        ("Europe/Berlin", ("22:00", "02:30"), "2026-10-25T00:45:00+00:00", "2026-10-25T01:30:00+00:00"),
        ("Europe/Berlin", ("02:30", "04:00"), "2026-10-25T00:30:00+00:00", "2026-10-25T03:00:00+00:00"),
        # A gap of half an hour (Lord Howe), one at midnight (Cairo).
        ("Australia/Lord_Howe", ("22:00", "02:15"), "2026-10-03T14:00:00+00:00", "2026-10-03T15:30:00+00:00"),
        ("Africa/Cairo", ("22:00", "00:30"), "2026-04-23T21:00:00+00:00", "2026-04-23T22:00:00+00:00"),
    ],
)
def test_quiet_hours(zone: str, hours: tuple[str, str], now: str, until: str | None) -> None:
    quiet = QuietHours(time.fromisoformat(hours[0]), time.fromisoformat(hours[1]))
    expected = datetime.fromisoformat(until) if until else None
    assert quiet_until(quiet, ZoneInfo(zone), datetime.fromisoformat(now)) == expected


def test_quiet_hours_that_last_no_time_are_refused() -> None:
    with pytest.raises(ValueError, match="different"):
        QuietHours(time(8), time(8))


@given(
    now=st.integers(1_700_000_000, 1_830_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)),
    zone=st.sampled_from(["UTC", "Asia/Seoul", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    start=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    end=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_a_deferral_ends_in_the_future_within_a_day_and_out_of_quiet_hours(
    now: datetime, zone: str, start: time, end: time
) -> None:
    if start == end:
        return
    hours = QuietHours(start, end)
    until = quiet_until(hours, ZoneInfo(zone), now)
    if until is not None:
        assert 0 < (until - now).total_seconds() <= 25 * 3600
        if zone in ("UTC", "Asia/Seoul"):  # no clock changes, so no night runs into the next
            assert quiet_until(hours, ZoneInfo(zone), until) is None
