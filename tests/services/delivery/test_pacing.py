"""Pace is decided by pure functions of moments; each case is a table row."""

from __future__ import annotations

from itertools import pairwise

import pytest

from backend.channels.base import Rate
from backend.services.delivery.pacing import ChatPace, SenderPace, slots, spacing, window_opens

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


def starts_of(pace, turns):
    """The moments at which operations start when the loop comes by at `turns`."""
    starts: list[float] = []
    for now in turns:
        for _ in range(pace.budget(now, 10)):
            starts.append(now)
            pace.started(now)
    return starts


def most_in_a_second(starts):
    return max(sum(first <= other < first + 1.0 for other in starts) for first in starts)


def test_a_sender_starts_evenly_and_below_its_limit():
    starts = starts_of(SenderPace((Rate(30, 1.0),)), [turn * 0.001 for turn in range(4000)])
    assert most_in_a_second(starts) <= 30
    assert len(starts) >= 4 * 30 * 0.97
    assert spacing((Rate(30, 1.0),)) == pytest.approx(0.034)


def test_a_loop_that_comes_late_catches_up_and_never_exceeds_the_limit():
    late = [turn * 0.05 + (0.2 if turn % 7 == 0 else 0.0) for turn in range(120)]
    starts = starts_of(SenderPace((Rate(30, 1.0),)), sorted(late))
    assert most_in_a_second(starts) <= 30
    assert len(starts) >= 6 * 30 * 0.95


def test_after_a_rest_the_window_still_holds():
    pace = SenderPace((Rate(30, 1.0),))
    pace.started(0.0)
    pace.rest(5.0)
    assert pace.budget(4.9, 10) == 0
    assert pace.opens(1.0) == 5.0
    assert most_in_a_second(starts_of(pace, [5.0 + turn * 0.01 for turn in range(300)])) <= 30


def test_without_a_rate_the_connections_are_the_budget():
    assert SenderPace(()).budget(5.0, 17) == 17


def test_a_resting_chat_is_reported_with_its_moment_and_forgotten_later():
    pace = SenderPace(())
    chat = pace.chat(7, (SECOND,))
    chat.used(10.0)
    assert pace.cooling(10.4) == {7: pytest.approx(11.0)}
    assert pace.cooling(200.0) == {}
    assert pace.known(7) is None


def test_a_chat_told_to_wait_rests_longer_than_its_rates():
    chat = ChatPace((SECOND,))
    chat.used(10.0)
    chat.rests_until = 30.0
    assert chat.opens(12.0) == 30.0
