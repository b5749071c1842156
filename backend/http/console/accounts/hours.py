"""The last 24 hours of an account as a strip: the hours in which something was sent, and where the next may go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the strip: where it begins, and how many messages were sent in it."""

    begins_at: datetime
    """In the person's zone."""
    sent: int


def strip(pace: Mapping[str, Any], now: datetime, zone: ZoneInfo) -> list[Hour]:
    """The 24 hours up to `now` (aware), the oldest first; the last one ends now."""
    begin = now - timedelta(hours=HOURS)
    counts = [0] * HOURS
    for slot in pace["slots"]:
        place = int((slot["at"] - begin) / timedelta(hours=1))
        counts[min(max(place, 0), HOURS - 1)] += 1
    return [Hour((begin + timedelta(hours=hour)).astimezone(zone), sent) for hour, sent in enumerate(counts)]
