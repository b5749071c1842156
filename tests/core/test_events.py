"""In-process events."""

from __future__ import annotations

import pytest

from backend.core import events


def test_subscribers_are_called_in_order_with_the_values() -> None:
    heard: list[tuple[str, int]] = []
    first = events.subscribe("tests.happened", lambda number: heard.append(("first", number)))
    second = events.subscribe("tests.happened", lambda number: heard.append(("second", number)))
    events.subscribe("tests.happened", first)
    events.publish("tests.happened", number=7)
    events.unsubscribe("tests.happened", first)
    events.publish("tests.happened", number=8)
    events.unsubscribe("tests.happened", second)
    events.publish("tests.happened", number=9)
    assert heard == [("first", 7), ("second", 7), ("second", 8)]


def test_a_subscribers_error_is_the_publishers() -> None:
    def refuse() -> None:
        raise ValueError("no")

    events.subscribe("tests.refused", refuse)
    with pytest.raises(ValueError, match="no"):
        events.publish("tests.refused")
    events.unsubscribe("tests.refused", refuse)
