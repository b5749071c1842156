"""What a stranger's cron expression may cost: a search goes through days, not minutes, and ends."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cronsim import CronSim

from backend.core.errors import Invalid
from backend.services.scheduling import timing
from backend.services.scheduling.timing import Timing, check, last_fire, next_fire, next_fires

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
NEVER = [
    "0 0 30 2 *",
    "0 0 31 4,6,9,11 *",
    "0 0 */29 * MON#2",
    "* * */29 * MON#2",
    "0 0 */29 2 MON#5",
    "59 23 */30 * 3#3",
]
RARE = [
    "0 0 29 2 *",
    "0 0 * 2 MON#5",
    "* * * 2 MON#5",
    "59 23 */28 2 SUN#5",
    "0 3 L 2 */2",
    "0 0 LW 2 *",
    "0 0 */31 2 SUN#1",
]
ZONES = ["UTC", "Europe/Berlin", "Africa/Casablanca", "Australia/Lord_Howe"]
FIFTY_YEARS = 50 * 366


@pytest.fixture
def steps(monkeypatch):
    """How many days, hours and minutes a search went through."""
    counted = [0]
    for name in ("match_day", "tick"):
        original = getattr(CronSim, name)

        def step(self, *given, original=original, **named):
            counted[0] += 1
            return original(self, *given, **named)

        monkeypatch.setattr(CronSim, name, step)
    for cached in (timing._next_cron, timing._last_cron, timing._names_hours):
        cached.cache_clear()
    yield counted
    for cached in (timing._next_cron, timing._last_cron, timing._names_hours):
        cached.cache_clear()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", NEVER)
def test_what_never_fires_is_refused_after_a_search_by_days(cron, zone, steps):
    with pytest.raises(Invalid) as refused:
        check(Timing("cron", cron=cron, timezone=zone), NOW)
    assert refused.value.code == "bad_cron"
    assert steps[0] <= 2 * FIFTY_YEARS


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", RARE)
def test_what_fires_in_decades_is_found_by_days(cron, zone, steps):
    planned = Timing("cron", cron=cron, timezone=zone)
    assert next_fire(planned, NOW) is not None
    assert steps[0] <= 2 * FIFTY_YEARS
    steps[0] = 0
    last_fire(planned, NOW)
    assert steps[0] <= 2 * FIFTY_YEARS


def test_a_search_that_was_made_is_known(steps):
    planned = Timing("cron", cron="0 0 * 2 MON#5")
    found = next_fires(planned, NOW, 5)
    made = steps[0]
    assert next_fires(planned, NOW, 5) == found
    assert steps[0] == made


@pytest.mark.parametrize(
    "cron",
    [
        "0," * 100 + "0 0 * * *",
        "9" * 5000 + " 0 * * *",
        "0 0 * * " + "1," * 200 + "1",
        "* " * 1000,
        "0 0 1 1 ²L",
        "*/" * 60 + "1 * * * *",
    ],
)
def test_what_is_long_or_odd_is_refused_without_a_search(cron, steps):
    with pytest.raises(Invalid) as refused:
        check(Timing("cron", cron=cron), NOW)
    assert refused.value.code == "bad_cron"
    assert steps[0] == 0


def test_the_end_of_the_calendar_is_no_error():
    end = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert next_fire(Timing("cron", cron="0 0 29 2 *"), end) is None
    assert next_fire(Timing("cron", cron="* * * * *", timezone="Asia/Seoul"), end) is None
    assert last_fire(Timing("cron", cron="0 0 29 2 *"), datetime(1, 1, 1, tzinfo=UTC)) is None
