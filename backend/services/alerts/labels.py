"""Labels: which of them people are shown, and which all of some alerts have. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def is_private(name: str) -> bool:
    """Whether a label is the sending system's own (`__…__`): it can be matched, and is not shown."""
    return name.startswith("__")


def public(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that people are shown."""
    return {name: value for name, value in labels.items() if not is_private(name)}


def common(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The labels that all of them have with the same value."""
    rows = iter(several)
    shared = dict(next(rows, {}))
    for labels in rows:
        shared = {name: value for name, value in shared.items() if labels.get(name) == value}
    return shared
