"""Hearing in-process events in a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from backend.core import events
from backend.core.events import Event


@contextmanager
def hearing() -> Iterator[Callable[[type[Event]], list[Any]]]:
    """Gives a function that returns the list of the events of a class that are published from its call on."""
    listening: list[tuple[type[Event], Callable[[Event], None]]] = []

    def listen(kind: type[Event]) -> list[Any]:
        published: list[Any] = []
        events.subscribe(kind, published.append)
        listening.append((kind, published.append))
        return published

    try:
        yield listen
    finally:
        for kind, function in listening:
            events.unsubscribe(kind, function)
