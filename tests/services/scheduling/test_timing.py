"""When something is due: tables of cases, with the clocks of real zones set forward and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from backend.core.errors import Invalid
from backend.services.scheduling import Timing, check, last_fire, next_fire
from backend.services.scheduling import timing as timings

NOW = datetime(2026, 2, 26, 10, 30, tzinfo=UTC)


def at(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


def fires(timing: Timing, after: str, until: str) -> list[datetime]:
    """Every fire after the one moment and not after the other."""
    found, moment = [], at(after)
    while (following := next_fire(timing, moment)) is not None and following <= at(until):
        found.append(following)
        moment = following
    return found


def local(found: list[datetime], zone: str) -> list[str]:
    return [one.astimezone(ZoneInfo(zone)).strftime("%d %H:%M %z") for one in found]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        # plain days
        ("30 10 * * *", "UTC", "2026-02-26T10:29:59.999Z", "2026-02-26T10:30Z"),
        ("30 10 * * *", "UTC", "2026-02-26T10:30Z", "2026-02-27T10:30Z"),
        ("0 9 * * *", "Asia/Seoul", "2026-02-26T00:00Z", "2026-02-27T00:00Z"),
        ("0 9 * * 1-5", "Asia/Seoul", "2026-02-27T00:00Z", "2026-03-02T00:00Z"),
        ("0 9 * * MON", "UTC", "2026-02-26T10:30Z", "2026-03-02T09:00Z"),
        ("0 0 * * 7", "UTC", "2026-02-26T10:30Z", "2026-03-01T00:00Z"),
        # ends of months and years, leap days
        ("0 0 31 * *", "UTC", "2026-03-31T00:00Z", "2026-05-31T00:00Z"),
        ("0 0 L * *", "UTC", "2026-02-26T10:30Z", "2026-02-28T00:00Z"),
        ("0 0 L * *", "UTC", "2028-02-26T10:30Z", "2028-02-29T00:00Z"),
        ("0 0 29 2 *", "UTC", "2026-02-26T10:30Z", "2028-02-29T00:00Z"),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00Z", "2104-02-29T00:00Z"),
        ("0 0 1 1 *", "Asia/Seoul", "2026-12-31T14:59Z", "2026-12-31T15:00Z"),
        ("0 0 13 * 5", "UTC", "2026-02-26T10:30Z", "2026-02-27T00:00Z"),
        # the clocks go forward: skipped times fire at the gap's end
        ("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00Z", "2027-03-28T01:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2027-03-28T01:00Z", "2027-03-29T00:30Z"),
        ("0 3 * * *", "Europe/Berlin", "2027-03-27T12:00Z", "2027-03-28T01:00Z"),
        ("*/20 2 * * *", "America/New_York", "2027-03-13T12:00Z", "2027-03-14T07:00Z"),
        ("*/20 2 * * *", "America/New_York", "2027-03-14T07:00Z", "2027-03-15T06:00Z"),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z", "2026-10-03T15:30Z"),
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00Z", "2026-09-06T04:00Z"),
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00Z", "2011-12-30T10:00Z"),
        # the clocks go back: the first of two
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00Z", "2026-11-01T05:30Z"),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:30Z", "2026-11-02T06:30Z"),
        ("30 1 * * *", "America/New_York", "2026-11-01T06:10Z", "2026-11-02T06:30Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T00:30Z"),
        ("0 */2 * * *", "Europe/Berlin", "2026-10-25T00:00Z", "2026-10-25T03:00Z"),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00Z", "2026-04-04T14:45Z"),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:45Z", "2026-04-05T15:15Z"),
    ],
)
def test_the_next_moment_of_an_expression(cron: str, zone: str, after: str, expected: str) -> None:
    assert next_fire(Timing("cron", cron=cron, timezone=zone), at(after)) == at(expected)


@pytest.mark.parametrize("cron", ["*/15 * * * *", "*/15 0-23 * * *"])
@pytest.mark.parametrize(
    ("after", "until"), [("2026-11-01T04:00Z", "2026-11-01T08:00Z"), ("2027-03-14T05:00Z", "2027-03-14T09:00Z")]
)
def test_what_holds_in_every_hour_goes_by_the_time_that_passes(cron: str, after: str, until: str) -> None:
    found = fires(Timing("cron", cron=cron, timezone="America/New_York"), after, until)
    assert len(found) == 16
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=15)}


def test_a_week_with_clocks_going_back_has_each_local_time_once() -> None:
    found = fires(
        Timing("cron", cron="30 1,2 * * *", timezone="America/New_York"), "2026-10-30T12:00Z", "2026-11-02T12:00Z"
    )
    assert local(found, "America/New_York") == [
        "31 01:30 -0400",
        "31 02:30 -0400",
        "01 01:30 -0400",
        "01 02:30 -0500",
        "02 01:30 -0500",
        "02 02:30 -0500",
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Seoul"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "*/20 1-3 * * *", "30 * * * *", "0 9 * * 1-5", "15 2,14 L * *"])
def test_the_last_moment_is_the_one_that_was_next(cron: str, zone: str) -> None:
    timing = Timing("cron", cron=cron, timezone=zone)
    for start in (
        "2026-10-24T00:00Z",
        "2026-11-01T00:00Z",
        "2027-03-13T22:00Z",
        "2027-03-27T22:00Z",
        "2027-04-03T08:00Z",
    ):
        following = next_fire(timing, at(start))
        for _ in range(12):
            assert following is not None
            earlier, following = following, next_fire(timing, following)
            assert following is not None
            assert earlier < following
            assert last_fire(timing, earlier) == earlier
            assert last_fire(timing, following - timedelta(seconds=1)) == earlier


@pytest.mark.parametrize(
    ("origin", "seconds", "after", "following", "last"),
    [
        ("2026-02-26T10:00Z", 3600, "2026-02-26T10:00Z", "2026-02-26T11:00Z", "2026-02-26T10:00Z"),
        ("2026-02-26T10:00Z", 3600, "2026-02-26T10:59:59Z", "2026-02-26T11:00Z", "2026-02-26T10:00Z"),
        ("2026-02-26T10:07Z", 3600, "2026-03-29T23:00Z", "2026-03-29T23:07Z", "2026-03-29T22:07Z"),
        ("2026-02-26T10:00Z", 90, "2026-02-26T10:02Z", "2026-02-26T10:03Z", "2026-02-26T10:01:30Z"),
        ("2026-02-26T10:00Z", 60, "2026-02-26T09:58:30Z", "2026-02-26T10:00Z", None),
        (None, 86400, "2026-02-26T10:00Z", "2026-02-27T00:00Z", "2026-02-26T00:00Z"),
    ],
)
def test_an_interval_is_counted_from_its_origin(origin, seconds, after, following, last) -> None:
    timing = Timing("interval", interval_seconds=seconds, run_at=at(origin) if origin else None)
    assert next_fire(timing, at(after)) == at(following)
    assert last_fire(timing, at(after)) == (at(last) if last else None)


def test_a_moment_comes_once() -> None:
    timing = Timing("once", run_at=NOW)
    assert next_fire(timing, NOW - timedelta(seconds=1)) == NOW
    assert next_fire(timing, NOW) is None
    assert last_fire(timing, NOW) == NOW
    assert last_fire(timing, NOW - timedelta(seconds=1)) is None


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2026-03-01T09:00", "Asia/Seoul", "2026-03-01T00:00Z"),
        ("2027-03-28T02:30", "Europe/Berlin", "2027-03-28T01:00Z"),
        ("2027-03-28T02:00:01", "Europe/Berlin", "2027-03-28T01:00Z"),
        ("2027-03-28T02:59:59", "Europe/Berlin", "2027-03-28T01:00Z"),
        ("2027-03-28T03:00", "Europe/Berlin", "2027-03-28T01:00Z"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30Z"),
    ],
)
def test_a_local_time_is_a_moment(value: str, zone: str, expected: str) -> None:
    assert timings.instant(datetime.fromisoformat(value), ZoneInfo(zone)) == at(expected)


@pytest.mark.parametrize(
    ("timing", "code"),
    [
        (Timing("cron", cron=""), "bad_cron"),
        (Timing("cron"), "bad_cron"),
        (Timing("cron", cron="* * * *"), "bad_cron"),
        (Timing("cron", cron="* * * * * *"), "bad_cron"),
        (Timing("cron", cron="60 * * * *"), "bad_cron"),
        (Timing("cron", cron="* 24 * * *"), "bad_cron"),
        (Timing("cron", cron="5-1 * * * *"), "bad_cron"),
        (Timing("cron", cron="*/0 * * * *"), "bad_cron"),
        (Timing("cron", cron="0 0 30 2 *"), "bad_cron"),
        (Timing("cron", cron="0 0 * * FUN"), "bad_cron"),
        (Timing("cron", cron="0 0 * * MON#2/3"), "bad_cron"),
        (Timing("cron", cron="0 0 * * ²L"), "bad_cron"),
        (Timing("cron", cron=f"{'9' * 90} * * * *"), "bad_cron"),
        (Timing("cron", cron="0 9 * * *", timezone="Mars/Olympus"), "unknown_timezone"),
        (Timing("cron", cron="0 9 * * *", timezone="../../etc/passwd"), "unknown_timezone"),
        (Timing("cron", cron="0 9 * * *", timezone="/etc/passwd"), "unknown_timezone"),
        (Timing("cron", cron="0 9 * * *", timezone=""), "unknown_timezone"),
        (Timing("cron", cron="0 9 * * *", timezone="\0"), "unknown_timezone"),
        (Timing("interval", interval_seconds=60, timezone="nowhere"), "unknown_timezone"),
        (Timing("interval"), "bad_interval"),
        (Timing("interval", interval_seconds=0), "bad_interval"),
        (Timing("interval", interval_seconds=-60), "bad_interval"),
        (Timing("interval", interval_seconds=timings.SHORTEST - 1), "bad_interval"),
        (Timing("interval", interval_seconds=10**15), "bad_interval"),
        (Timing("interval", interval_seconds=60, run_at=datetime(9999, 12, 31, tzinfo=UTC)), "date_too_far"),
        (Timing("once"), "past_date"),
        (Timing("once", run_at=NOW), "past_date"),
        (Timing("once", run_at=NOW - timedelta(days=1)), "past_date"),
        (Timing("once", run_at=datetime(9999, 12, 31, tzinfo=UTC)), "date_too_far"),
    ],
)
def test_a_timing_that_cannot_be_is_refused_and_says_where(timing: Timing, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(timing, NOW)
    assert refused.value.code == code
    assert isinstance(refused.value.detail, list)
    assert refused.value.detail[0]["code"] == code


@pytest.mark.parametrize(
    "timing",
    [
        Timing("cron", cron="  0   9 * * MON-FRI ", timezone="Europe/Berlin"),
        Timing("cron", cron="0 0 29 2 *"),
        Timing("interval", interval_seconds=timings.SHORTEST),
        Timing("once", run_at=NOW + timedelta(seconds=1)),
    ],
)
def test_a_timing_that_fires_is_taken(timing: Timing) -> None:
    check(timing, NOW)
