"""Claim watermarks: the position in each lane of a sender below which nothing is due, so that a claim skips it.

An index keeps the entries of rows that are gone until no transaction can see them any more. While one is held open for
an hour (a dump, a forgotten console), each claim would step over everything that was sent in that hour.

A watermark is the oldest row that is still due, and never later than a few seconds ago: rows are made due at the
present, but may be committed a little later. What still comes in below (a clock of another machine that is behind, a
long transaction) is found by a full scan, each second while that is cheap.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from backend.services.dispatch.adaptive_interval import AdaptiveInterval

PRIORITIES: Final = (0, 1, 2)
QueuePosition = tuple[datetime, int]
"""When a row is due, and its id: the order of a lane."""
BEGINNING: Final[QueuePosition] = (datetime(1970, 1, 1, tzinfo=UTC), 0)
_WHOLE_SECONDS = 1.0
_NOTE_SECONDS = 0.25
_MARGIN = timedelta(seconds=5)


class ClaimWatermarks:
    """The watermarks of the senders that a process serves. Moments are monotonic times."""

    def __init__(self) -> None:
        self._watermarks: dict[int, dict[int, QueuePosition]] = {}
        self._noted_at = float("-inf")
        self._whole = AdaptiveInterval(_WHOLE_SECONDS)

    def of(self, sender_id: int) -> tuple[QueuePosition, ...]:
        """The watermarks of a sender's lanes."""
        positions = self._watermarks.get(sender_id, {})
        return tuple(positions.get(lane, BEGINNING) for lane in PRIORITIES)

    def full_scan_due(self, moment: float) -> bool:
        """Whether the next claim should scan everything; forgets the watermarks then."""
        if self._whole.due(moment):
            self._watermarks.clear()
            return True
        return False

    def record_full_scan(self, begun: float, ended: float) -> None:
        """Records how long a full scan took, with noting its result."""
        self._whole.looked(begun, ended)

    def to_note(self, sender_ids: Iterable[int], moment: float) -> list[int]:
        """The senders whose oldest rows should be read now."""
        if moment - self._noted_at >= _NOTE_SECONDS:
            return list(sender_ids)
        return [sender_id for sender_id in sender_ids if sender_id not in self._watermarks]

    def note(
        self, sender_ids: Iterable[int], oldest: Iterable[tuple[int, int, QueuePosition]], now: datetime, moment: float
    ) -> None:
        """Notes the oldest rows that are due (sender, lane, place); in lanes that are not named there was none."""
        latest = (now - _MARGIN, 0)
        for sender_id in sender_ids:
            self._watermarks[sender_id] = dict.fromkeys(PRIORITIES, latest)
        for sender_id, lane, place in oldest:
            self._watermarks[sender_id][lane] = min(place, latest)
        self._noted_at = moment

    def forget(self, sender_id: int) -> None:
        """Forgets a sender that is no longer served."""
        self._watermarks.pop(sender_id, None)
