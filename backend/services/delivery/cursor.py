"""How far each lane of a sender has been claimed, so that a claim need not pass over what was there before.

A queue's index keeps the entries of rows that are gone until no transaction can still see them. While one is held open
for long, each claim would step over all that was ever sent since. What was passed over on purpose (its chat rested, or
had something in flight) lies behind the cursor: a whole look finds it, each second and when something lets it go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from backend.services.delivery.claiming import Claimed

WHOLE_LOOK_SECONDS = 1.0


class DueCursor:
    """The newest place that was claimed in each lane of each sender since the last whole look."""

    def __init__(self) -> None:
        self._places: dict[int, dict[int, tuple[datetime, int]]] = {}
        self._looked_at = float("-inf")

    def begin(self, moment: float) -> None:
        """Called at each turn with the monotonic time: forgets the places once a whole look is due again."""
        if moment - self._looked_at >= WHOLE_LOOK_SECONDS:
            self.reset()
            self._looked_at = moment

    def reset(self) -> None:
        """The next claim looks at everything."""
        self._places.clear()

    def forget(self, sender_id: int) -> None:
        """The next claim looks at everything of this sender."""
        self._places.pop(sender_id, None)

    def of(self, sender_id: int) -> tuple[tuple[int, datetime, int], ...]:
        """Lane, moment and id up to which nothing is left to take."""
        return tuple((lane, due_at, number) for lane, (due_at, number) in self._places.get(sender_id, {}).items())

    def advance(self, claimed: Iterable[Claimed]) -> None:
        """Notes what was claimed: a lane is claimed in the order of its moments and ids."""
        for row in claimed:
            lanes = self._places.setdefault(row.sender_id, {})
            lanes[row.lane] = max(lanes.get(row.lane, (row.due_at, row.id)), (row.due_at, row.id))
