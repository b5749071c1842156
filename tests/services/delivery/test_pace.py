"""Pace is decided by pure functions of moments; each case is a table row."""

from __future__ import annotations

from itertools import pairwise

import pytest

from backend.channels.base import Rate
from backend.services.dispatch.pace import HORIZON, ChatPace, SenderPace, SendSlot, slots, window_opens

SECOND = Rate(1, 1.0)
MINUTE = Rate(20, 60.0)


@pytest.mark.parametrize(
    ("history", "rates", "now", "opens"),
    [
        ([], (SECOND,), 10.0, 10.0),
        ([9.5], (SECOND,), 10.0, 10.5),
        ([9.0], (SECOND,), 10.0, 10.0),
        ([8.0, 9.5], (Rate(2, 3.0),), 10.0, 11.0),
        (list(range(20)), (SECOND, MINUTE), 20.0, 60.0),
        ([9.9], (), 10.0, 10.0),
    ],
)
def test_a_window_opens_when_the_oldest_counted_use_leaves_it(history, rates, now, opens):
    assert window_opens(history, rates, now) == pytest.approx(opens)


def test_slots_of_a_long_backlog_keep_every_rate():
    moments = slots([], (SECOND, MINUTE), 100.0, 50)
    assert moments == sorted(moments)
    for first, second in pairwise(moments):
        assert second - first >= 1.0
    for index in range(len(moments) - 20):
        assert moments[index + 20] - moments[index] >= 60.0


LIMIT = (Rate(30, 1.0),)


def written(pace, turns, lateness=lambda number: 0.0):
    """The moments at which operations are written when the loop comes by at `turns` and each write is that late."""
    found: list[float] = []
    pending: list[tuple[float, SendSlot]] = []
    for now in turns:
        for start in pace.take(pace.next_slots(now, 10), now):
            pending.append((max(start.planned, now) + lateness(len(found) + len(pending)), start))
        for at, start in [one for one in pending if one[0] <= now + HORIZON]:
            start.written = at
            found.append(at)
            pending.remove((at, start))
    return sorted(found)


def most_in_a_second(moments):
    return max(sum(first <= other < first + 1.0 for other in moments) for first in moments)


def every(seconds, until):
    return [turn * seconds for turn in range(int(until / seconds))]


def test_a_sender_writes_evenly_and_at_nearly_its_limit():
    found = written(SenderPace(LIMIT), every(0.05, 20))
    assert most_in_a_second(found) <= 30
    assert len(found) >= 20 * 30 * 0.98
    gaps = [second - first for first, second in pairwise(found[15:])]
    assert min(gaps) > 0.03


@pytest.mark.parametrize(
    "lateness",
    [
        lambda number: 0.02 if number % 30 == 0 else 0.0,
        lambda number: 0.05 * (number % 7) / 7,
        lambda number: 0.3 if number == 40 else 0.001,
    ],
    ids=["one in thirty", "all, differently", "one, much"],
)
def test_what_is_written_late_never_brings_a_second_over_its_limit(lateness):
    found = written(SenderPace(LIMIT), every(0.02, 10), lateness)
    assert most_in_a_second(found) <= 30
    assert len(found) >= 10 * 30 * 0.9


def test_a_loop_that_comes_late_catches_up_and_never_exceeds_the_limit():
    late = sorted(turn * 0.05 + (0.2 if turn % 7 == 0 else 0.0) for turn in range(120))
    found = written(SenderPace(LIMIT), late)
    assert most_in_a_second(found) <= 30
    assert len(found) >= 6 * 30 * 0.97


def test_moments_lie_within_the_horizon_and_are_given_once():
    pace = SenderPace(LIMIT)
    first = pace.next_slots(10.0, 10)
    assert first
    assert max(first) <= 10.0 + HORIZON
    pace.take(first, 10.0)
    assert not set(pace.next_slots(10.0, 10)) & set(first)
    assert pace.opens(10.0) > first[-1]


def test_an_operation_that_is_not_written_yet_counts_as_written_now():
    pace = SenderPace((Rate(1, 1.0),))
    pace.take(pace.next_slots(10.0, 1), 10.0)
    assert pace.next_slots(11.05, 1, within=0.5) == []
    assert pace.opens(11.05) > 12.05


def test_after_a_rest_the_window_still_holds():
    pace = SenderPace(LIMIT)
    pace.take(pace.next_slots(0.0, 1), 0.0)
    pace.pause(5.0)
    assert pace.next_slots(4.8, 10) == []
    assert pace.opens(1.0) == 5.0
    assert pace.pause_left(4.0) == pytest.approx(1.0)
    assert pace.pause_left(6.0) == 0.0
    assert most_in_a_second(written(pace, [5.0 + turn * 0.01 for turn in range(300)])) <= 30


def test_after_a_refusal_the_window_is_kept_with_more_to_spare():
    careful, plain = SenderPace((Rate(1, 1.0),)), SenderPace((Rate(1, 1.0),))
    careful.refused()
    for pace in (careful, plain):
        pace.remember([10.0])
    assert plain.opens(10.0) < careful.opens(10.0) < 11.11


def test_what_an_earlier_holder_wrote_counts():
    pace = SenderPace(LIMIT)
    pace.remember([9.0 + number / 30 for number in range(30)])
    assert pace.opens(10.0) > 10.0
    assert len(pace.next_slots(10.0, 10)) < 5


def test_without_a_rate_all_may_be_written_now():
    assert SenderPace(()).next_slots(5.0, 17) == [5.0] * 17


def test_a_resting_chat_is_reported_with_its_moment_and_forgotten_later():
    pace = SenderPace(())
    pace.used(7, (SECOND,), 10.0)
    assert pace.throttled_chats(10.4) == {7: pytest.approx(11.0)}
    assert pace.throttled_chats(200.0) == {}
    assert pace.known(7) is None


def test_a_chat_that_was_used_lately_is_remembered_for_its_longest_window():
    pace = SenderPace(())
    pace.used(7, (SECOND, MINUTE), 10.0)
    pace.used(8, (SECOND, MINUTE), 60.0)
    assert pace.throttled_chats(69.0) == {}
    assert pace.known(7) is not None
    assert pace.throttled_chats(72.0) == {}
    assert pace.known(7) is None
    assert pace.known(8) is not None


def test_a_chat_told_to_wait_rests_longer_than_its_rates():
    pace = SenderPace(())
    pace.used(7, (SECOND,), 10.0, pause=20.0)
    assert pace.throttled_chats(12.0) == {7: 30.0}
    assert pace.throttled_chats(31.0) == {}


def test_a_chat_without_rates_never_rests():
    pace = SenderPace(())
    pace.used(7, (), 10.0)
    assert pace.throttled_chats(10.0) == {}
    assert ChatPace(()).opens(10.0) == 10.0
