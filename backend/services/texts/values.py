"""Reading an event's `data`: free JSON from others' programs, in which anything may be missing or of another type.

Nothing here raises for a JSON value, whatever it is. What cannot be used is None, and its line falls away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from backend.channels import richtext
from backend.core.graphemes import clusters

MAX_NUMBER: Final = 10**15
"""Beyond this a count is a mistake of the reporting program, and is not shown."""
MAX_URL: Final = 2048
ELLIPSIS: Final = "…"
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_DEEPEST: Final = 32
_MAX_NAMES: Final = 200
_MARGIN: Final = 1_000
_PER_GRAPHEME: Final = 16

_NUMBER: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?|[+-]?\d+(\.\d+)?", re.ASCII)
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
_SPACE: Final = re.compile(r"\s+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_IN_ADDRESS: Final = re.compile(r"[\s<>\"\x00\ud800-\udfff]")


def number(value: object) -> int | float | None:
    """A finite number, also out of text ("1234", "1,234"), or None. A whole number is an int."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > 40 or not _NUMBER.fullmatch(value.strip()):
            return None
        value = float(value.replace(",", "")) if "." in value else int(value.replace(",", ""))
    if not isinstance(value, int | float) or not _plausible(value):
        return None
    return int(value) if value == int(value) else value


def _plausible(value: int | float) -> bool:
    # Also false for NaN and the infinities.
    return abs(value) <= MAX_NUMBER


def line(value: object, limit: int) -> str | None:
    """Text on one line, at most `limit` graphemes; numbers as written. None for anything else, and for nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(value, str):
        if not _plausible(value):
            return None
        value = str(value)
    value = beginning(value, limit)
    # Characters that draw nothing but steer the terminal or the row go; joiners and variation selectors (Cf, Mn) stay.
    flat = _SPACE.sub(" ", _UNSTORABLE.sub("", value))
    shown = _CONTROL.sub("", flat).strip()
    return preview(shown, limit) if richtext.has_visible(shown) else None


def beginning(text: str, limit: int) -> str:
    """The text without blanks around it, and no more of it than `limit` graphemes can take; “…” where that is less.

    So a value of a megabyte costs what a long one costs, each time that it is shown.
    """
    most = limit * _PER_GRAPHEME + _MARGIN
    text = text.strip()
    return text if len(text) <= most else f"{text[:most].rstrip()}{ELLIPSIS}"


def preview(text: str, limit: int) -> str:
    """The text, or its first graphemes and “…”: at most `limit` graphemes, in about three UTF-16 units each.

    A grapheme (a letter with its accents, an emoji with its joiners) stays whole or goes.
    """
    units_left = limit * 3 + 40
    kept: list[str] = []
    for grapheme in clusters(text):
        units_left -= richtext.utf16_length(grapheme)
        if len(kept) == limit or units_left < 0:
            # The ellipsis takes the last one's place.
            return "".join(kept[: limit - 1]).rstrip() + ELLIPSIS
        kept.append(grapheme)
    return text


def http_url(value: object) -> str | None:
    """An absolute http(s) address with a host and without blanks, or None."""
    if not isinstance(value, str):
        return None
    address = value.strip()
    if len(address) > MAX_URL or _NOT_IN_ADDRESS.search(address):
        return None
    return address if richtext.is_web_address(address) else None


def day(value: object) -> date | None:
    """A date written as YYYY-MM-DD, or None."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def names(value: object, limit: int) -> list[str]:
    """The usable texts of a list (or of a single text), each at most `limit` graphemes."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        return []
    return [name for item in value[:_MAX_NAMES] if isinstance(item, str) and (name := line(item, limit))]


def plain_json(value: Any, depth: int = 0) -> Any:
    """Any Python value as JSON that can be stored; for callers in Python, who hand over dates, decimals and objects."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return plain_json(float(value)) if value.is_finite() else None
    if depth >= _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {plain_json(str(key)): plain_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        return [plain_json(item, depth + 1) for item in value]
    return _UNSTORABLE.sub(REPLACEMENT, str(value))
