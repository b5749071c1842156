"""When the versions of the Graph API end. One that has ended is served by the oldest that lives."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

CURRENT: Final = "v26.0"
ENDS: Final[dict[str, date]] = {
    "v19.0": date(2026, 5, 21),
    "v20.0": date(2026, 9, 24),
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
}
"""The last day of each version of which Meta has named one (Graph API changelog)."""
_NUMBER: Final = re.compile(r"v(\d{1,3})\.(\d)")


def ends_on(version: str) -> date | None:
    """The day on which a version ends or ended; None where none is known. One before all of these has ended with them
    at the latest."""
    if version in ENDS:
        return ENDS[version]
    oldest = min(ENDS, key=_order)
    return ENDS[oldest] if _order(version) < _order(oldest) else None


def has_ended(version: str, today: date) -> bool:
    """Whether Meta serves another version in this one's place."""
    end = ends_on(version)
    return end is not None and end <= today


def _order(version: str) -> tuple[int, int]:
    match = _NUMBER.fullmatch(version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
