"""Admission control: which connections a process keeps, and which requests it takes when it cannot serve all.

Health checks and providers' webhooks have a lane of their own: room among the connections and threads that nothing else
uses. A router that cannot see that the process is alive would end it, and a provider would slow down.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection
from time import monotonic
from typing import Final, Protocol

from backend.core.errors import AppError, Unavailable
from backend.core.logging import get_logger

log = get_logger(__name__)

RETRY_SECONDS: Final = 2
_LANE: Final = re.compile(r"/health(/ready)?/?|/telegram/webhook/?|/api/telegram/webhook/[0-9]{1,18}/?")
_LANE_URL: Final = re.compile(rb"(?:%b)(?:\?.*)?" % _LANE.pattern.encode())
_LOG_SECONDS: Final = 10.0


def in_lane(path: str) -> bool:
    """Whether requests for this path are served also when the process is busy."""
    return _LANE.fullmatch(path) is not None


def is_lane_url(url: bytes) -> bool:
    """Whether requests for this URL, which may have a query, are served also when the process is busy."""
    return _LANE_URL.fullmatch(url) is not None


def too_busy() -> AppError:
    """503: more than this process can serve at the moment."""
    return Unavailable("too_busy", "The server is busy; try again shortly.", retry_after=RETRY_SECONDS)


class Connection(Protocol):
    """A client's connection as admission control sees it."""

    @property
    def waits_since(self) -> tuple[int, float] | None:
        """None while a request is under way. Otherwise (0, since when) without any whole request yet, and (1, since
        when) between two requests; in the event loop's seconds, comparable only within the first number."""
        ...

    def evict(self) -> None:
        """Ends the connection to make room."""
        ...


class Admission:
    """Admission of one process: keeps at most `most` connections, and a sixteenth more for the lane.

    The lane has at least 16 where that is no more than a quarter.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.most_with_lane = most + max(most // 16, min(16, most // 4), 1)
        self._refused: dict[str, int] = {}
        self._logged_at = 0.0

    def makes_room(self, newest: Connection, connections: Collection[object]) -> bool:
        """Whether there is room for the newest of the connections, if need be after ending some that wait idly.

        Those that never sent a whole request go first, the oldest before others; then those between two requests.
        """
        if len(connections) <= self.most:
            return True
        waiting = [
            (since, number, candidate)
            for number, candidate in enumerate(connections)
            if candidate is not newest and (since := getattr(candidate, "waits_since", None)) is not None
        ]
        # Several at once: who opens thousands of connections must not have all of them inspected for each.
        oldest = heapq.nsmallest(
            len(connections) - self.most + self.most // 50, waiting, key=lambda candidate: candidate[:2]
        )
        for _, _, connection in oldest:
            connection.evict()  # type: ignore[attr-defined]
        self.count_refusal("evicted", len(oldest))
        return len(connections) <= self.most

    def count_refusal(self, code: str, times: int = 1) -> None:
        """Notes a refusal for the log, in which a stranger cannot multiply lines: one in ten seconds tells of all."""
        self._refused[code] = self._refused.get(code, 0) + times
        now = monotonic()
        if now - self._logged_at >= _LOG_SECONDS:
            refused, self._refused, self._logged_at = self._refused, {}, now
            log.warning("requests_refused", counts={name: count for name, count in refused.items() if count})
