"""The plan: order, turns, follow-ups, windows, look-ups, and that it is the same from wherever it goes on."""

from __future__ import annotations

import time as stopwatch
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from itertools import islice, pairwise

import pytest

from backend.services.campaigns import windows
from backend.services.campaigns.pace import Ceilings, Uses
from backend.services.campaigns.planner import Assumptions, Candidate, LeftOut, Planned, follow_up_due, messages, plan
from backend.services.campaigns.windows import ALWAYS, EVERY_DAY, Hours, Window

START = datetime(2026, 11, 30, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD = Ceilings(START - timedelta(days=100))
OFFICE = Window(frozenset(range(5)), time(9), time(18))


def people(
    many: int, *, campaign: int = 1, hours: Hours = ALWAYS, delays: tuple[int, ...] = (), lookup: bool = False
) -> list[Candidate]:
    first = campaign * 10_000
    return [
        Candidate(first + number, campaign, 1, START, hours, number, delays, needs_lookup=lookup)
        for number in range(many)
    ]


def planned(candidates: list[Candidate], *, ceilings: Ceilings = OLD, **options: object) -> list[Planned]:
    return [item for item in plan(START, ceilings, Uses(), candidates, **options) if isinstance(item, Planned)]  # type: ignore[arg-type]


def test_people_in_their_order_one_an_hour() -> None:
    result = planned(people(12))
    assert [item.candidate.recipient_id for item in result] == list(range(10_000, 10_012))
    assert [item.at for item in result[:10]] == [START + HOUR * number for number in range(10)]
    assert [item.bound_by for item in result] == [None] + ["hour"] * 9 + ["day"] + ["hour"]
    assert result[10].at == START + timedelta(days=1)


def test_nine_a_day_in_a_window_of_nine_hours() -> None:
    """The end is excluded, so the hour binds and not the day."""
    result = planned(people(20, hours=windows.hours(OFFICE, ["Europe/Berlin"])))
    assert Counter(item.at.date().isoformat() for item in result) == {
        "2026-11-30": 9, "2026-12-01": 9, "2026-12-02": 2,
    }  # fmt: skip
    assert result[9].at == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert result[9].bound_by == "window"


def test_over_a_clock_change_the_window_opens_at_the_local_hour() -> None:
    start = datetime(2026, 3, 27, 8, tzinfo=UTC)
    hours = windows.hours(Window(EVERY_DAY, time(9), time(18)), ["Europe/Berlin"])
    candidates = [Candidate(number, 1, 1, start, hours, number) for number in range(30)]
    ceilings = Ceilings(start - timedelta(days=100))
    result = [item for item in plan(start, ceilings, Uses(), candidates) if isinstance(item, Planned)]
    openings = [item.at for item in result if item.bound_by in (None, "window")]
    assert openings == [
        datetime(2026, 3, 27, 8, tzinfo=UTC),
        datetime(2026, 3, 28, 8, tzinfo=UTC),
        datetime(2026, 3, 29, 7, tzinfo=UTC),
        datetime(2026, 3, 30, 7, tzinfo=UTC),
    ]


def test_zones_are_served_as_they_open() -> None:
    """Who is asleep lets the others go first, and keeps the place in line."""
    seoul = windows.hours(Window(EVERY_DAY, time(9), time(18)), ["Asia/Seoul"])
    berlin = windows.hours(Window(EVERY_DAY, time(9), time(18)), ["Europe/Berlin"])
    candidates = [Candidate(number, 1, 1, START, seoul if number % 2 == 0 else berlin, number) for number in range(6)]
    result = planned(candidates)
    # Half past five in the evening in Seoul at 08:30 UTC: at 08:00 Seoul is open, at 09:00 no more.
    assert [item.candidate.recipient_id for item in result] == [0, 1, 3, 5, 2, 4]
    assert result[4].at == datetime(2026, 12, 1, 0, tzinfo=UTC)


def test_follow_ups_go_before_first_messages() -> None:
    result = planned(people(40, delays=(1, 2)))
    second = next(index for index, item in enumerate(result) if item.candidate.step == 2)
    assert result[second].at == START + timedelta(days=1)
    assert result[second].candidate.recipient_id == 10_000
    by_recipient: dict[int, list[Planned]] = {}
    for item in result:
        by_recipient.setdefault(item.candidate.recipient_id, []).append(item)
    for items in by_recipient.values():
        for before, after in pairwise(items):
            days = (1, 2)[before.candidate.step - 1]
            assert after.at >= follow_up_due(before.at, days)
            assert after.candidate.step == before.candidate.step + 1


def test_campaigns_take_turns() -> None:
    result = planned([*people(6, campaign=1), *people(3, campaign=2)])
    assert [item.candidate.campaign_id for item in result] == [1, 2, 1, 2, 1, 2, 1, 1, 1]


def test_the_campaign_that_was_served_last_waits() -> None:
    served = {1: START - HOUR}
    result = planned([*people(2, campaign=1), *people(2, campaign=2)], last_served=served)
    assert [item.candidate.campaign_id for item in result] == [2, 1, 2, 1]


def test_a_follow_up_two_weeks_late_is_left_out() -> None:
    late = Candidate(1, 1, 2, START - timedelta(days=14, minutes=1), ALWAYS, 0)
    just = Candidate(2, 1, 2, START - timedelta(days=14), ALWAYS, 1)
    first, second = plan(START, OLD, Uses(), [late, just])
    assert first == LeftOut(late, START, "too_late")
    assert isinstance(second, Planned)
    assert second.at == START


def test_hours_that_never_come_are_left_out_and_hold_nobody() -> None:
    never = windows.hours(Window(EVERY_DAY, time(9), time(12)), ["Pacific/Auckland", "America/New_York"])
    result = list(plan(START, OLD, Uses(), [Candidate(1, 1, 1, START, never, 0), *people(2)]))
    assert [type(item) for item in result] == [Planned, Planned, LeftOut]
    assert result[-1][2] == "never_open"


def test_replies_end_the_follow_ups_of_their_part() -> None:
    result = planned(people(10, delays=(1,)), assumptions=Assumptions(reply_rate=0.3))
    assert Counter(item.candidate.step for item in result) == {1: 10, 2: 7}
    assert result == planned(people(10, delays=(1,)), assumptions=Assumptions(reply_rate=0.3))


def test_look_ups_bind_where_few_are_found() -> None:
    result = planned(people(120, lookup=True), assumptions=Assumptions(found_rate=0.1))
    assert len(result) == 12
    assert {item.bound_by for item in result} >= {"lookups"}
    a_day = [item for item in result if item.at < START + timedelta(hours=23)]
    assert len(a_day) == 3
    assert {item.bound_by for item in planned(people(30, lookup=True))} == {None, "hour", "day"}


@pytest.mark.parametrize(("count", "rate", "found"), [(1, 0.8, 1), (2, 0.8, 2), (10, 0.8, 8), (1, 0.4, 0), (5, 0.0, 0)])
def test_who_is_found_is_rounded(count: int, rate: float, found: int) -> None:
    """One person who is unknown yet will rather be found: the likely end is not now."""
    assert len(planned(people(count, lookup=True), assumptions=Assumptions(found_rate=rate))) == found


def test_the_plan_is_the_same_from_wherever_it_goes_on() -> None:
    """Carried out one by one, with what went out before as uses, it is what was planned at first: to the second."""
    hours = windows.hours(OFFICE, ["Europe/Berlin"])
    candidates = [*people(15, hours=hours, delays=(2, 3)), *people(10, campaign=2)]
    ceilings = Ceilings(START - timedelta(days=3))
    whole = [item for item in plan(START, ceilings, Uses(), candidates) if isinstance(item, Planned)]
    left = {candidate.recipient_id: candidate for candidate in candidates}
    served: dict[int, datetime] = {}
    uses, moment = Uses(), START
    for expected in whole:
        (item,) = messages(plan(moment, ceilings, uses, left.values(), last_served=served), 1)
        assert (item.candidate.recipient_id, item.candidate.step, item.at) == (
            expected.candidate.recipient_id,
            expected.candidate.step,
            expected.at,
        )
        uses.add(item.at)
        served[item.candidate.campaign_id] = moment = item.at
        del left[item.candidate.recipient_id]
        if item.candidate.delays:
            left[item.candidate.recipient_id] = Candidate(
                item.candidate.recipient_id,
                item.candidate.campaign_id,
                item.candidate.step + 1,
                follow_up_due(item.at, item.candidate.delays[0]),
                item.candidate.hours,
                item.candidate.place,
                item.candidate.delays[1:],
            )
    assert left == {}


def test_a_hundred_thousand_are_planned_from_the_front() -> None:
    """What is not asked for is not computed."""
    hours = windows.hours(OFFICE, ["Europe/Berlin"])
    many = people(100_000, hours=hours, delays=(3, 4))
    before = stopwatch.monotonic()
    first = list(islice(plan(START, OLD, Uses(), many), 20))
    assert len(first) == 20
    assert first[0].candidate.recipient_id == 10_000
    assert stopwatch.monotonic() - before < 60
