"""Small in-process events: how a feature reacts to something below it without being imported by it.

`publish` calls every subscriber at once, in the order in which they subscribed, in the caller's transaction and scope.
An error of a subscriber is the publisher's: what happened and what follows from it are stored together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_subscribers: dict[str, list[Callable[..., Any]]] = {}


def subscribe(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Has `function` called with the values of every later `publish(name, ...)`; subscribing twice changes nothing."""
    listening = _subscribers.setdefault(name, [])
    if function not in listening:
        listening.append(function)
    return function


def unsubscribe(name: str, function: Callable[..., Any]) -> None:
    """Takes a subscription back; nothing happens where there is none. For tests."""
    listening = _subscribers.get(name, [])
    if function in listening:
        listening.remove(function)


def publish(name: str, /, **values: Any) -> None:
    """Tells all subscribers of `name`; whatever one of them raises reaches the caller."""
    for function in tuple(_subscribers.get(name, ())):
        function(**values)
