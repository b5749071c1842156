"""An interval between checks that may become expensive: regular, but for no more than a share of the time."""

from __future__ import annotations

from typing import Final

_SHARE: Final = 0.05
_LONGEST: Final = 10.0
"""Seconds between two checks, or three times as long as the last one took: one that only had to wait for a lock must
not be made up for by minutes."""


class AdaptiveInterval:
    """Due every `seconds`; when a check takes more than a twentieth of that, less often, about every ten.

    Times are monotonic.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = float("-inf")

    def due(self, moment: float) -> bool:
        """Whether a check is due."""
        return moment >= self._next

    def looked(self, begun: float, ended: float) -> None:
        """Records a check that took from `begun` to `ended`."""
        took = ended - begun
        self._next = max(begun + self._seconds, ended + min(took / _SHARE, max(_LONGEST, 3 * took)))
