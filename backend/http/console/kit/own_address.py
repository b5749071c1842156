"""Addresses of this console that a request names (`next`, `back`): nothing else is ever led to."""

from __future__ import annotations

import re
from typing import Final

HOME: Final = "/console/"
_MAX_CHARACTERS: Final = 2000
# No control characters or line separators (they could begin another header, and URL parsers pass over them without a
# word), no backslash (browsers read it as a slash), no empty segment (`//host` is another host).
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff\\]")


def own_address(wanted: str | None, otherwise: str = HOME) -> str:
    """The address itself where it is a page of this console, else `otherwise`."""
    if not wanted or len(wanted) > _MAX_CHARACTERS or not wanted.startswith(HOME) or _FORBIDDEN.search(wanted):
        return otherwise
    path = re.split(r"[?#]", wanted, maxsplit=1)[0]
    return otherwise if "//" in path else wanted
