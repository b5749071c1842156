"""Reading what Meta sends: nothing in it can be relied on, and nothing in it raises.

Texts come out without NULs and lone surrogates, so that they can be stored; ids and times are checked and bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import orjson

from backend.channels.richtext import storable
from backend.core.egress.answers import read_json

MAX_TEXT: Final = 65_536
MAX_ID: Final = 512
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_MILLISECONDS: Final = 100_000_000_000  # as seconds this would be the year 5138
_LATEST: Final = 253_402_300_799


def document(body: bytes) -> Any:
    """The JSON value of a body; None for what is no JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # Lone surrogates and odd numbers, which the fast reader refuses.
        return read_json(body)
    except ValueError:
        return None


def mapping(value: Any, *names: str) -> Mapping[str, Any]:
    """The object under these names, one within another; empty where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list; what is none is passed over, and so is what is no list."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def first(value: Any) -> Mapping[str, Any]:
    """The first object of a list; empty where there is none."""
    return next(objects(value), {})


def text(value: Any, most: int = MAX_TEXT) -> str:
    """A text that can be stored, cut to `most` characters; empty for what is none."""
    return storable(value[:most]) if isinstance(value, str) else ""


def identifier(value: Any) -> str:
    """An id, given as a text or a number; empty for what is none."""
    if type(value) is str and len(value) <= MAX_ID and value.isascii() and value.isprintable():
        return value.strip()  # nearly all of them
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        return str(value)
    return text(value, MAX_ID).strip()


def moment(value: Any) -> datetime | None:
    """A time given in seconds or milliseconds since 1970, as a number or its digits; None for what is none."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value == value and abs(value) < 1e18:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return None
    seconds = value / 1000 if value >= _MILLISECONDS else value
    return datetime.fromtimestamp(seconds, UTC) if seconds <= _LATEST else None


def canonical(value: Any) -> bytes:
    """The same bytes for equal JSON values, whatever the order of their names or how they were escaped."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return repr(_ordered(value)).encode("utf-8", "surrogatepass")


def fingerprint(value: Any) -> str:
    """A short digest of a JSON value: equal for equal values."""
    return sha256(canonical(value)).hexdigest()[:40]


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((name, _ordered(item)) for name, item in value.items())
    return [_ordered(item) for item in value] if isinstance(value, list) else value
