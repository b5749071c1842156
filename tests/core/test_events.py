"""In-process events."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from backend.core import events
from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class Happened(Event):
    """Something happened."""

    number: int


@dataclass(frozen=True, slots=True)
class HappenedElsewhere(Event):
    """Something else did."""


def test_subscribers_are_called_in_order_with_the_event() -> None:
    heard: list[tuple[str, int]] = []
    first = events.subscribe(Happened, lambda event: heard.append(("first", event.number)))
    second = events.subscribe(Happened, lambda event: heard.append(("second", event.number)))
    events.subscribe(Happened, first)
    events.publish(Happened(7))
    events.publish(HappenedElsewhere())
    events.unsubscribe(Happened, first)
    events.publish(Happened(8))
    events.unsubscribe(Happened, second)
    events.publish(Happened(9))
    assert heard == [("first", 7), ("second", 7), ("second", 8)]


def test_a_subscribers_error_is_the_publishers() -> None:
    def refuse(event: HappenedElsewhere) -> None:
        raise ValueError("no")

    events.subscribe(HappenedElsewhere, refuse)
    with pytest.raises(ValueError, match="no"):
        events.publish(HappenedElsewhere())
    events.unsubscribe(HappenedElsewhere, refuse)
