"""What follows when a platform did not publish: a pure function of the error and of what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from backend.channels.errors import ChannelError, OutcomeUnknown, RetryLater

MAX_TRIES: Final = 20
"""So often a post is put off before it has failed: some 13 hours."""
_FIRST: Final = 10.0
_MAX: Final = 3600.0
FORGETS: Final = frozenset({"container_expired"})
"""Codes after which what was prepared is of no use any more."""


@dataclass(frozen=True, slots=True)
class Next:
    """The post's next state; `wait` until it is tried again."""

    state: Literal["scheduled", "failed", "unknown"]
    code: str
    detail: str = ""
    wait: timedelta | None = None


def decide(error: ChannelError, *, begun: bool, tries: int) -> Next:
    """The consequence of an error; `begun` says that it came from the call that publishes, `tries` counts this one.

    Only a begun call can have published something: whatever is unclear before it is simply done again.
    """
    if isinstance(error, OutcomeUnknown) and begun:
        return Next("unknown", error.code, error.detail)
    if not isinstance(error, RetryLater | OutcomeUnknown):
        return Next("failed", error.code, error.detail)
    if tries >= MAX_TRIES:
        return Next("failed", "gave_up", error.detail or error.code)
    requested = error.seconds if isinstance(error, RetryLater) else 0.0
    backoff = min(_MAX, _FIRST * 2.0 ** min(tries - 1, 12))
    return Next("scheduled", error.code, error.detail, timedelta(seconds=max(requested, backoff)))
