"""Floors: the place in each lane of a sender below which nothing is due, so that a claim need not look there.

An index keeps the entries of rows that are gone until no transaction can see them any more. While one is held open for
an hour (a dump, a forgotten console), each claim would step over everything that was sent in that hour.

A floor is the oldest row that is still due, and never later than a few seconds ago: rows are made due at the present,
but may be committed a little later. What still comes in below (a clock of another machine that is behind, a long
transaction) is found by a whole look, each second while that is cheap.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from backend.services.dispatch.adaptive_interval import Rhythm

LANES: Final = (0, 1, 2)
Place = tuple[datetime, int]
"""When a row is due, and its id: the order of a lane."""
BEGINNING: Final[Place] = (datetime(1970, 1, 1, tzinfo=UTC), 0)
_WHOLE_SECONDS = 1.0
_NOTE_SECONDS = 0.25
_MARGIN = timedelta(seconds=5)


class Floors:
    """The floors of the senders that a process serves. Moments are monotonic times."""

    def __init__(self) -> None:
        self._floors: dict[int, dict[int, Place]] = {}
        self._noted_at = float("-inf")
        self._whole = Rhythm(_WHOLE_SECONDS)

    def of(self, sender_id: int) -> tuple[Place, ...]:
        """The floors of its lanes."""
        known = self._floors.get(sender_id, {})
        return tuple(known.get(lane, BEGINNING) for lane in LANES)

    def whole_look_due(self, moment: float) -> bool:
        """Whether the next claim should look at everything; the floors are forgotten then."""
        if self._whole.due(moment):
            self._floors.clear()
            return True
        return False

    def looked_whole(self, begun: float, ended: float) -> None:
        """A whole look, with noting what it found, took this long."""
        self._whole.looked(begun, ended)

    def to_note(self, sender_ids: Iterable[int], moment: float) -> list[int]:
        """The senders whose oldest rows should be looked for now."""
        if moment - self._noted_at >= _NOTE_SECONDS:
            return list(sender_ids)
        return [one for one in sender_ids if one not in self._floors]

    def note(
        self, sender_ids: Iterable[int], oldest: Iterable[tuple[int, int, Place]], now: datetime, moment: float
    ) -> None:
        """Notes the oldest rows that are due (sender, lane, place); in lanes that are not named there was none."""
        latest = (now - _MARGIN, 0)
        for sender_id in sender_ids:
            self._floors[sender_id] = dict.fromkeys(LANES, latest)
        for sender_id, lane, place in oldest:
            self._floors[sender_id][lane] = min(place, latest)
        self._noted_at = moment

    def forget(self, sender_id: int) -> None:
        """The sender is not served any more."""
        self._floors.pop(sender_id, None)
