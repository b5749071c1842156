"""Which processes of `bin/dev` a changed file concerns, and the changes as they come."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from .environment import ROOT

WATCHED = ("backend", "simulator", "asgi.py", "wsgi.py", "worker.py")
SUFFIXES = frozenset({".py", ".html", ".css", ".js", ".svg", ".json"})
#: Changes that come together, such as those of a branch that is checked out, are one: milliseconds.
_TOGETHER = 300

#: The first rule that a path begins with names the processes; what no rule names concerns nobody.
_RULES = (
    ("simulator/", frozenset({"simulator"})),
    ("backend/http/", frozenset({"web"})),
    ("backend/asgi/", frozenset({"web"})),
    ("asgi.py", frozenset({"web"})),
    ("wsgi.py", frozenset({"web"})),
    ("backend/jobs/", frozenset({"worker"})),
    ("backend/workers/", frozenset({"worker"})),
    ("worker.py", frozenset({"worker"})),
    ("backend/", frozenset({"web", "worker", "poll"})),
)


def is_available() -> bool:
    """Whether the library that watches files is installed; `bin/setup --dev` brings it."""
    return importlib.util.find_spec("watchfiles") is not None


def concerned(paths: Iterable[Path], root: Path = ROOT) -> frozenset[str]:
    """The processes that have to start again for these changed files."""
    names: frozenset[str] = frozenset()
    for path in paths:
        if path.suffix not in SUFFIXES or not path.is_relative_to(root):
            continue
        relative = path.relative_to(root).as_posix()
        names |= next((processes for prefix, processes in _RULES if relative.startswith(prefix)), frozenset())
    return names


async def changes(stopping: asyncio.Event, root: Path = ROOT) -> AsyncIterator[set[Path]]:
    """The files that changed, as soon as they have; until `stopping` is set."""
    # By its name: the product does not need it, and runs without.
    awatch = importlib.import_module("watchfiles").awatch
    watched = [root / name for name in WATCHED if (root / name).exists()]
    async for changed in awatch(*watched, stop_event=stopping, debounce=_TOGETHER, step=50, recursive=True):
        yield {Path(path) for _, path in changed}
