"""The ceilings of an account: one an hour, some in 24 hours, rolling, with the ramp of a new account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from backend.services.campaigns.pace import Ceilings, Uses, next_slot

START = datetime(2026, 11, 30, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD = Ceilings(START - timedelta(days=100))


def spoken(ceilings: Ceilings, start: datetime, many: int) -> list[datetime]:
    uses, moment = Uses(), start
    for _ in range(many):
        moment = next_slot(ceilings, uses, moment).at
        uses.add(moment)
    return uses.counted


def test_ten_a_day_one_an_hour() -> None:
    moments = spoken(OLD, START, 25)
    first_day = [START + HOUR * number for number in range(10)]
    assert moments[:10] == first_day
    assert moments[10:20] == [moment + timedelta(days=1) for moment in first_day]
    assert moments[20] == START + timedelta(days=2)


def test_the_ramp_of_a_new_account() -> None:
    """Three in 24 hours in the first week, five in the second, ten then; the day is 24 hours and has no midnight."""
    moments = spoken(Ceilings(START), START, 3 * 7 + 5 * 7 + 10)
    for offset in range(16):
        day = START + timedelta(days=offset)
        in_day = [moment for moment in moments if day <= moment < day + timedelta(days=1)]
        assert len(in_day) == (3 if offset < 7 else 5 if offset < 14 else 10) or offset > 14


def test_a_higher_limit_is_used_at_once() -> None:
    ceilings = Ceilings(START - timedelta(days=7) + timedelta(hours=4))
    uses = Uses([START, START + HOUR, START + 2 * HOUR], START + 2 * HOUR)
    slot = next_slot(ceilings, uses, START + 3 * HOUR)
    assert (slot.at, slot.bound_by) == (START + 4 * HOUR, "ramp")


@pytest.mark.parametrize(
    ("age", "strict_days", "own", "limit"),
    [(0, None, None, 3), (6.99, None, None, 3), (7, None, None, 5), (13.99, None, None, 5), (14, None, None, 10),
     (100, None, None, 10), (100, 7, None, 3), (100, -1, None, 10), (100, None, 4, 4), (0, None, 8, 3), (100, 7, 1, 1)],
)  # fmt: skip
def test_limit(age: float, strict_days: int | None, own: int | None, limit: int) -> None:
    strict = None if strict_days is None else START + timedelta(days=strict_days)
    assert Ceilings(START - timedelta(days=age), strict, own).limit(START) == limit


def test_a_refused_try_gives_the_place_of_the_day_back_and_keeps_the_hour() -> None:
    nine = [START - timedelta(hours=22) + HOUR * number for number in range(9)]
    refused = Uses(nine, START)
    assert next_slot(OLD, refused, START + timedelta(minutes=1)).at == START + HOUR
    accepted = Uses([*nine, START], START)
    slot = next_slot(OLD, accepted, START + timedelta(minutes=1))
    assert (slot.at, slot.bound_by) == (START + 2 * HOUR, "day")


def test_what_is_exactly_a_day_or_an_hour_ago_is_over() -> None:
    ten = [START - timedelta(hours=24) + HOUR * number for number in range(10)]
    assert next_slot(OLD, Uses(ten, ten[-1]), START).at == START
    assert next_slot(OLD, Uses(ten, ten[-1]), START - timedelta(seconds=1)).at == START
    assert next_slot(OLD, Uses([START], START), START + HOUR).bound_by is None


def test_no_plan_ever_breaks_a_ceiling() -> None:
    random = Random(7)
    for _ in range(200):
        ceilings = Ceilings(
            START - timedelta(hours=random.randint(0, 500)),
            START + timedelta(hours=random.randint(-50, 200)) if random.random() < 0.5 else None,
        )
        uses, moment = Uses(), START
        for _ in range(60):
            moment = next_slot(ceilings, uses, moment + timedelta(minutes=random.choice([0, 0, 7, 90, 700]))).at
            assert not uses.counted or moment - uses.counted[-1] >= HOUR
            assert uses.within_a_day(moment) < ceilings.limit(moment)
            uses.add(moment)


def test_relaxed_pace_is_seconds() -> None:
    assert spoken(Ceilings(START, relaxed=2.0), START, 4)[-1] == START + timedelta(seconds=6)


def test_the_day_of_the_ramp() -> None:
    assert Ceilings(START).day_of_ramp(START) == 1
    assert Ceilings(START).day_of_ramp(START + timedelta(days=7, hours=1)) == 8
    assert Ceilings(START).is_ramp(START)
    assert not OLD.is_ramp(START)
