"""Pace by kind: when an operation may be written, where its channel has rates for single kinds (edits, voice, video).

What a claim takes does not show its kind before it is read, so one whose kind has no room is given back once, until a
moment that is kept for it. All readings are of one monotonic clock, in seconds. A new holder of a lease begins with
nothing noted: what the provider then refuses as too fast is a pause as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from backend.channels.base import Rate
from backend.services.dispatch.pace import window_opens

_MARGIN = 0.02
"""Seconds by which a window is longer than the provider's."""
_KEPT_FOR = 60.0
"""Seconds for which a moment is kept for an operation that does not come: it was canceled."""


class KindPace:
    """The rates of one sender by kind, and the moments that its operations have got."""

    def __init__(self, rates: Mapping[str, Sequence[Rate]]) -> None:
        self._rates = {
            kind: tuple(Rate(rate.count, rate.seconds + _MARGIN) for rate in listed) for kind, listed in rates.items()
        }
        self._given: dict[str, list[float]] = {kind: [] for kind in rates}
        self._kept: dict[int, float] = {}
        self._lock = threading.Lock()

    def wait(self, delivery_id: int, kinds: Iterable[str], now: float) -> float:
        """For how many seconds this operation has to wait; 0 where it is written now, and counted so."""
        limited = [kind for kind in kinds if self._rates.get(kind)]
        if not limited:
            return 0.0
        with self._lock:
            moment = self._kept.pop(delivery_id, None)
            if moment is None:
                for kind in limited:
                    self._forget(kind, now)
                moment = max(window_opens(self._given[kind], self._rates[kind], now) for kind in limited)
                for kind in limited:
                    self._given[kind].append(moment)
            if moment > now:
                self._kept[delivery_id] = moment
                return moment - now
            for kind in limited:
                # What comes later than its moment counts from when it really comes.
                if moment in self._given[kind]:
                    self._given[kind].remove(moment)
                self._given[kind].append(now)
            return 0.0

    def _forget(self, kind: str, now: float) -> None:
        longest = max(rate.seconds for rate in self._rates[kind])
        self._given[kind] = [moment for moment in self._given[kind] if moment > now - longest]
        for delivery_id in [id_ for id_, moment in self._kept.items() if moment < now - _KEPT_FOR]:
            del self._kept[delivery_id]
