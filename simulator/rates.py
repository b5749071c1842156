"""Telegram's limits on sending, under the policy that is set. Times are monotonic seconds."""

from __future__ import annotations

import math
from collections import deque

from simulator.settings import Rates

Key = tuple[str, int, int]


class Limiter:
    """Remembers what each bot sent where. One instance serves all bots."""

    def __init__(self) -> None:
        self._windows: dict[Key, deque[float]] = {}
        self._buckets: dict[Key, tuple[float, float]] = {}
        self._blocked: dict[int, float] = {}

    def block(self, bot_id: int, until: float) -> None:
        """Refuse every sending call of this bot until then."""
        self._blocked[bot_id] = max(until, self._blocked.get(bot_id, 0.0))

    def clear(self) -> None:
        """Forget everything."""
        self._windows.clear()
        self._buckets.clear()
        self._blocked.clear()

    def blocked_for(self, bot_id: int, now: float) -> int:
        """Whole seconds for which the bot is still refused, 0 when it is not."""
        until = self._blocked.get(bot_id)
        if until is None:
            return 0
        if until <= now:
            del self._blocked[bot_id]
            return 0
        return math.ceil(until - now)

    def take(self, rates: Rates, bot_id: int, chat_id: int, is_group: bool, cost: int, now: float) -> int:
        """Count `cost` messages to a chat. Returns 0 when they may be sent, else `retry_after` (and nothing
        was counted).
        """
        if rates.policy == "off":
            return 0
        count, seconds = rates.per_chat
        burst = max(rates.chat_burst, count)
        limits: list[tuple[Key, int, float]] = [
            (("bot", bot_id, 0), rates.per_bot[0], rates.per_bot[1]),
            (("chat", bot_id, chat_id), burst, seconds * burst / count),
        ]
        if is_group:
            limits.append((("group", bot_id, chat_id), rates.per_group[0], rates.per_group[1]))
        check = self._bucket_wait if rates.policy == "bucket" else self._window_wait
        wait = max(check(key, limit, window, cost, now) for key, limit, window in limits)
        if wait > 0:
            retry_after = max(1, math.ceil(wait))
            if rates.policy == "blocking":
                self.block(bot_id, now + retry_after)
            return retry_after
        for key, _, _ in limits:
            if rates.policy == "bucket":
                level, _ = self._buckets[key]
                self._buckets[key] = (level - cost, now)
            else:
                self._windows[key].extend([now] * cost)
        return 0

    def _window_wait(self, key: Key, limit: int, window: float, cost: int, now: float) -> float:
        times = self._windows.setdefault(key, deque())
        while times and times[0] <= now - window:
            times.popleft()
        excess = len(times) + min(cost, limit) - limit
        return times[excess - 1] + window - now if excess > 0 else 0.0

    def _bucket_wait(self, key: Key, limit: int, window: float, cost: int, now: float) -> float:
        level, at = self._buckets.get(key, (float(limit), now))
        level = min(float(limit), level + (now - at) * limit / window)
        self._buckets[key] = (level, now)
        missing = min(cost, limit) - level
        return missing * window / limit if missing > 0 else 0.0
