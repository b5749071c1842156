"""Spans of time as people write them in a form: `30s`, `5m`, `4h`, `1d`, or several together (`1h 30m`)."""

from __future__ import annotations

import re
from typing import Final

from backend.core import i18n

_UNITS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_PART: Final = re.compile(r"(\d{1,8})\s*([dhms])\s*", re.IGNORECASE)
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+", re.IGNORECASE)
_SECONDS: Final = re.compile(r"\d{1,8}")


def shown(seconds: int | None) -> str:
    """The shortest way to write it in a field; nothing for never."""
    return "" if seconds is None else " ".join(f"{count}{unit}" for count, unit in _parts(seconds))


def words(seconds: int, locale: str) -> str:
    """The span as a sentence of this language names it: "1 h 40 min"."""
    return " ".join(i18n.text(f"console.span.{unit}", locale, count=count) for count, unit in _parts(seconds))


def _parts(seconds: int) -> list[tuple[int, str]]:
    parts = []
    for unit, size in _UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append((count, unit))
    return parts or [(0, "s")]


def read(text: str) -> int | None:
    """Whole seconds; a number without a unit is seconds. None for what is no span."""
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return int(text)
    if not _WHOLE.fullmatch(text):
        return None
    return sum(int(count) * _UNITS[unit.lower()] for count, unit in _PART.findall(text))
