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


def test_a_sender_starts_evenly_and_below_its_limit():
    pace = SenderPace((Rate(30, 1.0),))
    now = 0.0
    starts: list[float] = []
    while len(starts) < 60:
        now = pace.opens(now)
        assert pace.budget(now, 10) == 1
        starts.append(now)
        pace.started(now)
    assert all(starts[i + 30] - starts[i] > 1.0 for i in range(30))
    assert spacing((Rate(30, 1.0),)) == pytest.approx(0.034)


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
