"""The provider's policies count as they say: exact sliding windows, buckets, and a bot that is blocked."""

from __future__ import annotations

import pytest

from benchmarks.policies import SECOND, Bucket, StrictWindow, TokenBucket, named

MILLI = SECOND // 1000


def test_a_strict_second_slides() -> None:
    policy = StrictWindow()
    assert [policy.judge(1, 100 + i, i * MILLI) for i in range(30)] == [0] * 30
    # The first was at 0: one nanosecond before a second has passed is still within it.
    assert policy.judge(1, 500, SECOND - 1) == 1
    assert policy.judge(1, 500, SECOND) == 0
    assert policy.judge(1, 501, SECOND) == 1
    assert policy.judge(1, 501, SECOND + MILLI) == 0


def test_bots_do_not_count_for_each_other() -> None:
    policy = StrictWindow()
    assert [policy.judge(bot, 100 + i, 0) for bot in (1, 2) for i in range(30)] == [0] * 60


def test_a_chat_is_written_to_once_a_second_and_a_group_twenty_times_a_minute() -> None:
    policy = StrictWindow()
    assert policy.judge(1, 7, 0) == 0
    assert policy.judge(1, 7, SECOND - 1) == 1
    assert policy.judge(1, 7, SECOND) == 0
    assert [policy.judge(1, -9, 10 * SECOND + i * SECOND) for i in range(20)] == [0] * 20
    assert policy.judge(1, -9, 40 * SECOND) == 30
    assert policy.judge(1, -9, 70 * SECOND) == 0


def test_only_blocking_refuses_what_would_fit_meanwhile() -> None:
    for blocking, wanted in ((False, 0), (True, 1)):
        policy = StrictWindow(blocking=blocking)
        assert policy.judge(1, 7, 0) == 0
        assert policy.judge(1, 7, MILLI) == 1
        assert policy.judge(1, 8, 2 * MILLI) == wanted
        assert policy.judge(1, 8, 2 * SECOND) == 0


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    policy = TokenBucket()
    assert [policy.judge(1, 100 + i, 0) for i in range(30)] == [0] * 30
    assert policy.judge(1, 500, 0) == 1
    assert policy.judge(1, 500, 34 * MILLI) == 0
    assert policy.judge(1, 501, 34 * MILLI) == 1


def test_a_bucket_never_holds_more_than_its_size() -> None:
    bucket = Bucket(rate=1.0, size=3.0, tokens=3.0, at=0)
    assert bucket.wait(100 * SECOND) == 0
    assert bucket.tokens == 3.0


def test_an_unknown_policy_is_refused() -> None:
    assert named("off").judge(1, 1, 0) == 0
    with pytest.raises(KeyError):
        named("lenient")
