"""In-process events: how a feature reacts to something below it without being imported by it.

`publish` calls every subscriber at once, in the order in which they subscribed, in the caller's transaction and scope.
An error of a subscriber is the publisher's: what happened and what follows from it are stored together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar


class Event:
    """Base of all events. Each is a frozen dataclass in the module `events` of the feature that it is about."""

    __slots__ = ()


E = TypeVar("E", bound=Event)
_subscribers: dict[type[Event], list[Callable[[Any], Any]]] = {}


def subscribe(kind: type[E], function: Callable[[E], Any]) -> Callable[[E], Any]:
    """Has `function` called with every later event of this class; subscribing twice changes nothing."""
    listening = _subscribers.setdefault(kind, [])
    if function not in listening:
        listening.append(function)
    return function


def unsubscribe(kind: type[E], function: Callable[[E], Any]) -> None:
    """Takes a subscription back; nothing happens where there is none. For tests."""
    listening = _subscribers.get(kind, [])
    if function in listening:
        listening.remove(function)


def subscribers_of(kind: type[Event]) -> tuple[Callable[[Any], Any], ...]:
    """Who is called with events of this class, in order."""
    return tuple(_subscribers.get(kind, ()))


def publish(event: Event) -> None:
    """Calls all subscribers of the event's class; whatever one of them raises reaches the caller."""
    for function in subscribers_of(type(event)):
        function(event)
