"""The order in which bin/test's processes get the tests."""

from __future__ import annotations

import pytest

from tests.support.dealing import deal


def pack_of(name: str) -> str | None:
    """`L…` is long, and of a pack of its own unless there is one behind a slash."""
    return name.rpartition("/")[2] if name.startswith("L") else None


SHORT = [f"s{number}" for number in range(10)]


def test_each_share_but_the_last_begins_with_long_ones_in_turn() -> None:
    assert deal([*SHORT[:8], "L1", "L2", "L3", "L4"], pack_of, 3) == [
        *("L1", "L3", "s0", "s1"),
        *("L2", "L4", "s2", "s3"),
        *("s4", "s5", "s6", "s7"),
    ]


def test_those_of_a_pack_stay_together() -> None:
    assert deal(["La/x", "Lb/x", "Lc/y", *SHORT[:6]], pack_of, 3)[:6] == ["La/x", "Lb/x", "s0", "Lc/y", "s1", "s2"]


def test_where_only_the_last_share_has_room_it_gets_long_ones_too() -> None:
    assert sorted(deal(["L1", "L2", "L3", "L4"], pack_of, 2)) == ["L1", "L2", "L3", "L4"]


def test_a_pack_that_fits_nowhere_is_divided() -> None:
    pack = [f"L{number}/x" for number in range(6)]
    assert deal([*pack, "s0"], pack_of, 3) == [*pack, "s0"]


@pytest.mark.parametrize("shares", [0, 1])
def test_one_process_runs_them_as_they_stand(shares: int) -> None:
    assert deal(["s0", "L1", "s1"], pack_of, shares) == ["s0", "L1", "s1"]


@pytest.mark.parametrize("shares", range(1, 9))
@pytest.mark.parametrize("long_items", range(12))
def test_none_is_lost_or_doubled(shares: int, long_items: int) -> None:
    items = [*SHORT, *(f"L{number}/{number // 3}" for number in range(long_items))]
    dealt = deal(items, pack_of, shares)
    assert sorted(dealt) == sorted(items)
    assert [item for item in dealt if item in SHORT] == SHORT
