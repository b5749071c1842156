"""Spans of time as people write them in a form: `30s`, `5m`, `4h`, `1d`, or several together (`1h 30m`)."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_PART: Final = re.compile(r"(\d{1,8})\s*([dhms])\s*", re.IGNORECASE)
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+", re.IGNORECASE)
_SECONDS: Final = re.compile(r"\d{1,8}")


def shown(seconds: int | None) -> str:
    """The shortest way to write it; nothing for never."""
    if seconds is None:
        return ""
    if seconds == 0:
        return "0s"
    parts = []
    for unit, size in _UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts)


def read(text: str) -> int | None:
    """Whole seconds; a number without a unit is seconds. None for what is no span."""
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return int(text)
    if not _WHOLE.fullmatch(text):
        return None
    return sum(int(count) * _UNITS[unit.lower()] for count, unit in _PART.findall(text))
