"""The order in which a run's tests are dealt to the test processes, so that the long ones begin first.

pytest-xdist cuts the list of tests into one share for each process, in order, and has a process without work take the
end of another's share. Were the long tests left where they stand, one process would begin with most of them, or end
with one by itself. The last share has no long test: a process that computes fills the time in which others wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, groupby
from typing import TypeVar

Item = TypeVar("Item")


def deal(items: Sequence[Item], pack_of: Callable[[Item], str | None], shares: int) -> list[Item]:
    """The items in the order in which `shares` processes get equal parts of it, each beginning with its long ones.

    `pack_of` names what a long item belongs to, whose neighbours of the same pack stay together; None for a short one.
    Short items keep their order.
    """
    if shares < 2:
        return list(items)
    rooms = list(_sizes(len(items), shares))
    dealt: list[list[Item]] = [[] for _ in rooms]
    turns = cycle(range(shares - 1))
    long_items = [item for item in items if pack_of(item) is not None]
    for _, pack in groupby(long_items, pack_of):
        cards = list(pack)
        # In turn, but not where there is no room left; where none has, the pack is divided.
        choice = next((turn for turn in (next(turns) for _ in rooms) if _left(rooms, dealt, turn) >= len(cards)), None)
        if choice is not None:
            dealt[choice] += cards
            continue
        for share in range(shares):
            room = _left(rooms, dealt, share)
            dealt[share] += cards[:room]
            cards = cards[room:]
    short_items = iter([item for item in items if pack_of(item) is None])
    for share in range(shares):
        dealt[share] += [item for _, item in zip(range(_left(rooms, dealt, share)), short_items, strict=False)]
    return [item for share in dealt for item in share]


def _left(rooms: Sequence[int], dealt: Sequence[Sequence[object]], share: int) -> int:
    return rooms[share] - len(dealt[share])


def _sizes(count: int, shares: int) -> Iterator[int]:
    """How many items each share has, as pytest-xdist cuts them."""
    for number in range(shares):
        size = count // (shares - number)
        count -= size
        yield size
