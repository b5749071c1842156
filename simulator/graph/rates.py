"""The rates of the Graph API's sends: so many a second for an object, and a bucket for each pair of it and a person."""

from __future__ import annotations

from collections import defaultdict, deque

PER_NUMBER = (80, 1.0)
PAIR_BURST = 45
PAIR_REFILL = 6.0


class Rates:
    """Counts by monotonic time; nothing is refused while it is switched off."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[float]] = defaultdict(deque)
        self._pairs: dict[tuple[str, str], tuple[float, float]] = {}

    def clear(self) -> None:
        """Forget what was sent."""
        self._sent.clear()
        self._pairs.clear()

    def takes(self, node_id: str, now: float, limit: tuple[int, float] = PER_NUMBER) -> bool:
        """Whether the object may send one more now; it counts when it may."""
        count, seconds = limit
        sent = self._sent[node_id]
        while sent and sent[0] <= now - seconds:
            sent.popleft()
        if len(sent) >= count:
            return False
        sent.append(now)
        return True

    def takes_pair(self, node_id: str, contact_id: str, now: float) -> bool:
        """Whether this person may get one more from this object now: 45 at once, one more each six seconds."""
        left, since = self._pairs.get((node_id, contact_id), (float(PAIR_BURST), now))
        left = min(float(PAIR_BURST), left + (now - since) / PAIR_REFILL)
        if left < 1:
            self._pairs[(node_id, contact_id)] = (left, now)
            return False
        self._pairs[(node_id, contact_id)] = (left - 1, now)
        return True
