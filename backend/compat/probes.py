"""Asking every library whether the private names are there that stand in this package."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from backend.compat import apiflask, rq, sqlalchemy, uvicorn

PROBES: Final[dict[str, Callable[[], list[str]]]] = {
    "apiflask": apiflask.missing,
    "rq": rq.missing,
    "sqlalchemy": sqlalchemy.missing,
    "uvicorn": uvicorn.missing,
}


class IncompatibleLibrary(RuntimeError):
    """A library has other private names than this product stands on. The message names library, version and names."""


def require(*libraries: str) -> None:
    """Refuses to go on without the names of these libraries. Raises IncompatibleLibrary."""
    faults = [f"{library} has no {', '.join(names)}" for library in libraries if (names := _missing(library))]
    if faults:
        raise IncompatibleLibrary(f"{'; '.join(faults)}: install the versions of requirements.txt")


@cache
def _missing(library: str) -> list[str]:
    return PROBES[library]()
