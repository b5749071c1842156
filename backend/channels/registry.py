"""The channels there are: one line for each, the name of its folder.

A folder offers `SPEC` (`channels.spec.ChannelSpec`). Its client is made when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from threading import RLock
from typing import cast

from backend.channels.base import Channel
from backend.channels.spec import ChannelSpec

_FOLDERS: list[str] = [
    "backend.channels.instagram",
    "backend.channels.messenger",
    "backend.channels.telegram_bot",
    "backend.channels.telegram_user",
    "backend.channels.whatsapp",
]
_lock = RLock()
_specs: dict[str, ChannelSpec] = {}
_replaced: dict[str, ChannelSpec] = {}
_instances: dict[str, Channel] = {}


def specs() -> tuple[ChannelSpec, ...]:
    """What each channel declares, in alphabetical order of their names."""
    loaded = _loaded() | _replaced
    return tuple(loaded[name] for name in sorted(loaded))


def spec(name: str) -> ChannelSpec:
    """What the channel of that name declares. Raises KeyError for an unknown name."""
    return _replaced.get(name) or _specs.get(name) or _loaded()[name]


def names() -> tuple[str, ...]:
    """The names of the channels, in alphabetical order."""
    return tuple(sorted(_loaded()))


def names_by_connection(*, kept: bool) -> tuple[str, ...]:
    """The names of the channels whose senders keep a connection, or of those that do not, in alphabetical order."""
    return tuple(declared.name for declared in specs() if declared.keeps_connection is kept)


def get(name: str) -> Channel:
    """The client of that channel, made at the first call and the same one afterwards, in every thread. Raises KeyError
    for an unknown name."""
    with _lock:
        if name not in _instances:
            _instances[name] = spec(name).create()
        return _instances[name]


def add(folder: str) -> ChannelSpec:
    """Adds a channel's folder for this process, beside those of the list: one that is not the product's own. Whoever
    asks for all channels at its start, as the application does for their addresses, must be started afterwards."""
    with _lock:
        if folder not in _FOLDERS:
            _FOLDERS.append(folder)
        return _load(folder)


def remove(folder: str) -> None:
    """Takes `add` back."""
    with _lock:
        _FOLDERS.remove(folder)
        _specs.clear()
        _instances.clear()


def put(name: str, channel: Channel, declared: ChannelSpec | None = None) -> None:
    """Use this client from now on, and this spec if one is given: configuration at start-up (an address, a pool's
    size) or a test's own."""
    with _lock:
        _instances[name] = channel
        if declared is not None:
            _replaced[name] = declared


def clear() -> None:
    """Forget all clients, and the specs that were put; the next `get` makes new ones."""
    with _lock:
        _instances.clear()
        _replaced.clear()


def _loaded() -> dict[str, ChannelSpec]:
    with _lock:
        if len(_specs) < len(_FOLDERS):
            for folder in list(_FOLDERS):
                _load(folder)
        return dict(_specs)


def _load(folder: str) -> ChannelSpec:
    declared = cast(ChannelSpec, import_module(folder).SPEC)
    return _specs.setdefault(declared.name, declared)
