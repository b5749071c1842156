"""Who can publish a failed post again. Features above this one register themselves; nobody has to be there.

A way is two functions: whether it can retry this event, and doing so. The first that can is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend.models import NotificationEvent

TYPES = ("post_failure",)
"""The types whose messages may carry the button."""


@dataclass(frozen=True, slots=True)
class RetryHandler:
    """`available` asks without changing anything; `run` stores the retry in the caller's transaction."""

    name: str
    available: Callable[[NotificationEvent], bool]
    run: Callable[[NotificationEvent], None]


_ways: list[RetryHandler] = []


def register(way: RetryHandler) -> None:
    """Adds a way; one of the same name is replaced."""
    unregister(way.name)
    _ways.append(way)


def unregister(name: str) -> None:
    """Takes a way back; nothing happens where there is none."""
    _ways[:] = [way for way in _ways if way.name != name]


def retry_available(event: NotificationEvent) -> bool:
    """Whether pressing Retry on this event's message would do something."""
    return way_for(event) is not None


def way_for(event: NotificationEvent) -> RetryHandler | None:
    """The first registered way that can retry this event."""
    if event.type not in TYPES:
        return None
    return next((way for way in _ways if way.available(event)), None)
