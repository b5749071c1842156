"""Pauses grow up to a bound; a row's own share of jitter is always the same."""

from __future__ import annotations

import pytest

from backend.core.backoff import JITTER, Backoff, share

DOUBLING = Backoff(1.0, 300.0)


@pytest.mark.parametrize(
    ("backoff", "tries", "seconds"),
    [
        (DOUBLING, -1, 1.0),
        (DOUBLING, 0, 1.0),
        (DOUBLING, 1, 1.0),
        (DOUBLING, 2, 2.0),
        (DOUBLING, 9, 256.0),
        (DOUBLING, 10, 300.0),
        (DOUBLING, 10**9, 300.0),
        (Backoff(10.0, 43_200.0, factor=3.0), 3, 90.0),
        (Backoff(10.0, 43_200.0, factor=3.0), 10**9, 43_200.0),
        (Backoff(5.0, 20.0, factor=4.0), 2, 20.0),
        (Backoff(30.0, 30.0), 5, 30.0),
    ],
)
def test_a_pause_grows_with_the_tries_up_to_its_bound(backoff: Backoff, tries: int, seconds: float) -> None:
    assert backoff.seconds(tries) == seconds
    assert backoff.wait(tries).total_seconds() == seconds


def test_jitter_shortens_by_a_fifth_at_most_also_at_the_bound() -> None:
    for tries in (1, 5, 50):
        plain = DOUBLING.seconds(tries)
        pauses = {DOUBLING.seconds(tries, key) for key in range(1000)}
        assert plain * (1 - JITTER) <= min(pauses) < plain * 0.81
        assert plain * 0.99 < max(pauses) <= plain
        assert len(pauses) > 900, "rows that failed together spread"


def test_the_same_row_and_try_have_the_same_pause() -> None:
    assert DOUBLING.seconds(4, 17) == DOUBLING.seconds(4, 17) == DOUBLING.seconds(4, "17")
    assert share(17, 4) != share(17, 5)


def test_shares_are_even() -> None:
    shares = [share(key, 1) for key in range(10_000)]
    assert all(0.0 <= one < 1.0 for one in shares)
    assert sum(shares) / len(shares) == pytest.approx(0.5, abs=0.02)
