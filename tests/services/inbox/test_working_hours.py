"""Working time: minutes pass only while people answer, over nights, weekends and changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.services.inbox.working_hours import BadHours, WorkingHours, due_at

WEEK = {day: [["09:00", "12:00"], ["13:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def hours(stored: dict[str, list[list[str]]] = WEEK, zone: str = "Asia/Seoul") -> WorkingHours:
    found = WorkingHours.of(stored, zone)
    assert found is not None
    return found


def seoul(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of November 2026, of which the 2nd is a Monday, in Seoul's time."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=9)


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        (seoul(2, 10), 30, seoul(2, 10, 30)),
        (seoul(2, 11, 50), 30, seoul(2, 13, 20)),  # over lunch
        (seoul(2, 17, 50), 30, seoul(3, 9, 20)),  # over night
        (seoul(6, 17, 50), 30, seoul(9, 9, 20)),  # over the weekend
        (seoul(7, 12), 60, seoul(9, 10)),  # written on a Saturday
        (seoul(2, 9), 8 * 60, seoul(2, 18)),  # a whole day, to its very end
        (seoul(2, 9), 16 * 60, seoul(3, 18)),
    ],
)
def test_an_answer_is_due_after_minutes_of_working_time(start: datetime, minutes: int, due: datetime) -> None:
    assert due_at(hours(), start, minutes) == due


def test_without_hours_people_always_answer() -> None:
    assert WorkingHours.of(None, "UTC") is None
    assert WorkingHours.of({"mon": []}, "UTC") is None
    assert due_at(None, seoul(7, 3), 15) == seoul(7, 3, 15)


def test_an_absence_begins_when_the_last_hours_end() -> None:
    assert hours().closed_since(seoul(2, 10)) is None
    assert hours().closed_since(seoul(2, 12, 30)) == seoul(2, 12)
    assert hours().closed_since(seoul(3, 2)) == seoul(2, 18)
    assert hours().closed_since(seoul(8, 12)) == seoul(6, 18)
    assert hours().opens_at(seoul(8, 12)) == seoul(9, 9)


def test_a_change_of_the_clock_neither_adds_nor_takes_working_time() -> None:
    night = hours({"sun": [["00:00", "24:00"]]}, "Europe/Berlin")
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC)  # midnight; at three o'clock it is two again
    assert night.is_open(begin)
    assert due_at(night, begin, 25 * 60) == datetime(2026, 10, 25, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "code"),
    [
        ([["18:00", "09:00"]], "bad_order"),
        ([["09:00", "12:00"], ["11:00", "13:00"]], "overlap"),
        ([["25:00", "26:00"]], "bad_time"),
        ([["09:00:30", "10:00"]], "bad_time"),
    ],
)
def test_hours_that_cannot_be_are_refused(day: list[list[str]], code: str) -> None:
    with pytest.raises(BadHours) as refused:
        WorkingHours.of({"mon": day}, "UTC")
    assert (refused.value.day, refused.value.code) == ("mon", code)
