"""Names to channels. A channel's folder is imported when it is first asked for, so none loads another's
libraries."""

from __future__ import annotations

from importlib import import_module
from threading import Lock
from typing import cast

from backend.channels.base import Channel

_FOLDERS = {
    "telegram_bot": "backend.channels.telegram_bot",
}
_instances: dict[str, Channel] = {}
_lock = Lock()


def names() -> tuple[str, ...]:
    """The channels there are, in alphabetical order."""
    return tuple(sorted(_FOLDERS))


def get(name: str) -> Channel:
    """The channel of that name, made from its folder's `create()` at the first call and the same one
    afterwards, in every thread. Raises KeyError for an unknown name."""
    with _lock:
        if name not in _instances:
            _instances[name] = cast(Channel, import_module(_FOLDERS[name]).create())
        return _instances[name]


def put(name: str, channel: Channel) -> None:
    """Use this instance from now on: configuration at start-up (an address, a pool's size) or a test's
    own."""
    with _lock:
        _instances[name] = channel


def clear() -> None:
    """Forget all instances, so that the next `get` makes new ones."""
    with _lock:
        _instances.clear()
