"""In-process events: how a feature reacts to something below it without being imported by it.

`publish` calls every subscriber at once, in the order in which they subscribed, in the caller's transaction and scope.
An error of a subscriber is the publisher's: what happened and what follows from it are stored together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload


class Event:
    """Base of all events. Each is a frozen dataclass in the package `events` module of the feature it belongs to."""

    __slots__ = ()


E = TypeVar("E", bound=Event)
_subscribers: dict[type[Event] | str, list[Callable[..., Any]]] = {}


@overload
def subscribe(kind: type[E], function: Callable[[E], Any]) -> Callable[[E], Any]: ...
@overload
def subscribe(kind: str, function: Callable[..., Any]) -> Callable[..., Any]: ...
def subscribe(kind: type[Event] | str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Has `function` called with every later event of this class; subscribing twice changes nothing."""
    listening = _subscribers.setdefault(kind, [])
    if function not in listening:
        listening.append(function)
    return function


def unsubscribe(kind: type[Event] | str, function: Callable[..., Any]) -> None:
    """Takes a subscription back; nothing happens where there is none. For tests."""
    listening = _subscribers.get(kind, [])
    if function in listening:
        listening.remove(function)


def publish(event: Event | str, /, **values: Any) -> None:
    """Calls all subscribers of the event's class; whatever one of them raises reaches the caller."""
    if isinstance(event, str):
        for function in tuple(_subscribers.get(event, ())):
            function(**values)
        return
    for function in tuple(_subscribers.get(type(event), ())):
        function(event)
