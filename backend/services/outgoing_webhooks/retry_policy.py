"""The retry policy of endpoints: a pure function of a try's outcome and what went before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from backend.core.backoff import Backoff

BACKOFF: Final = Backoff(10.0, 43_200.0, factor=3.0)
MAX_WAITS: Final = 12
"""So often a delivery waits after a failed try; after one more it is given up: some 50 hours."""
REST: Final = Backoff(5.0, 300.0)
"""How long an endpoint that is away is left alone."""
DISABLED_AFTER: Final = timedelta(days=3)
"""An endpoint that fails for so long, and `DISABLED_FAILURES` times, without a single success is switched off."""
DISABLED_FAILURES: Final = 15
MAX_RETRY_AFTER: Final = 3600.0
"""Seconds that an endpoint may ask us to wait."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try: the status that was answered, or the code of what went wrong. `retry_after` in seconds, from 0 to
    `MAX_RETRY_AFTER`. `detail` is what a script said of its failure, for the log."""

    status: int | None = None
    code: str | None = None
    retry_after: float | None = None
    detail: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint took the event."""
        return self.code is None and self.status is not None and 200 <= self.status < 300

    @property
    def fault(self) -> str | None:
        """The code of what went wrong; None for a success."""
        if self.succeeded:
            return None
        return self.code or ("redirected" if 300 <= (self.status or 0) < 400 else f"http_{self.status}")

    @property
    def is_away(self) -> bool:
        """Whether the endpoint as a whole seems to be away, and not only this event to be unwelcome."""
        return self.status is None or self.status >= 500 or self.status == 429


@dataclass(frozen=True, slots=True)
class Decision:
    """`wait` until the delivery's next try, None when it has ended; `rest` holds back the whole endpoint meanwhile.

    `disable` is the code with which the endpoint is switched off.
    """

    state: Literal["due", "delivered", "failed"]
    reason: str | None = None
    wait: timedelta | None = None
    rest: timedelta | None = None
    disable: str | None = None


def decide(
    outcome: Outcome,
    *,
    attempts: int,
    failures: int,
    failing_since: datetime | None,
    now: datetime,
    key: int | None = None,
) -> Decision:
    """The consequence of a delivery's try number `attempts`.

    `failures` counts the endpoint's failed tries in a row, this one included; `failing_since` is when they began.
    `key` is the delivery's id.
    """
    if outcome.succeeded:
        return Decision("delivered")
    if outcome.status == 410:
        return Decision("failed", outcome.fault, disable="gone")
    long = failing_since is not None and now - failing_since >= DISABLED_AFTER
    if long and failures >= DISABLED_FAILURES:
        return Decision("failed", outcome.fault, disable="failing_for_long")
    rest = REST.wait(failures, key) if outcome.is_away else None
    if attempts > MAX_WAITS:
        return Decision("failed", outcome.fault, rest=rest)
    wait = BACKOFF.wait(attempts, key)
    if outcome.retry_after is not None and outcome.status in (429, 503):
        requested = timedelta(seconds=min(outcome.retry_after, MAX_RETRY_AFTER))
        wait, rest = max(wait, requested), max(rest or requested, requested)
    return Decision("due", outcome.fault, wait=wait, rest=rest)


def matches(pattern: str, event_type: str) -> bool:
    """Whether an endpoint's pattern (a type, a family `post.*`, or `*`) names this type."""
    if pattern == "*":
        return True
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return pattern == event_type
