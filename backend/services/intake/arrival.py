"""When the event that is being handled was received, for what must not be answered long afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from backend.core import clock

_received_at: ContextVar[datetime | None] = ContextVar("event_received_at", default=None)


@contextmanager
def event_received_at(moment: datetime) -> Iterator[None]:
    """Everything inside handles an event that was received then."""
    token = _received_at.set(moment)
    try:
        yield
    finally:
        _received_at.reset(token)


def received_at() -> datetime:
    """When the event was received; now, outside of any."""
    return _received_at.get() or clock.now()
