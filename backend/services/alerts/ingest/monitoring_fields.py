"""Single fields of the bodies of monitoring systems: statuses, moments, measured values, labels. Pure functions.

Nothing here raises, whatever a field holds: what cannot be used is left out.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from backend.channels import richtext
from backend.services.alerts import severities
from backend.services.alerts.rules import matchers

MAX_LABELS: Final = 250
_OVER: Final = ("resolved", "ok", "normal")
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""What began before is a zero value of some program's, not a moment."""
_CLOCK_SKEW: Final = timedelta(minutes=5)
_MAX_READ: Final = 10_000
_MAX_NUMBERS: Final = 20
_NAME: Final = re.compile(r"(?:var|metric)='([^']{1,50})'")


def severity_of(labels: Mapping[str, str]) -> str:
    """Returns our severity for the label `severity`, else `priority`; `warning` without one, or for another word."""
    given = labels.get("severity") or labels.get("priority") or severities.DEFAULT
    return severities.parse(given) or severities.DEFAULT


def is_firing(alert: Mapping[str, Any], body: Mapping[str, Any], now: datetime) -> bool:
    """Whether an alert fires: by its own status, else by the body's, else by an end that has passed."""
    own = _status(alert.get("status"))
    if own is not None:
        return own not in _OVER
    if _status(body.get("status")) in _OVER or _status(body.get("state")) in _OVER:
        return False
    ended = moment(alert.get("endsAt"))
    return ended is None or ended > now


def started_at(alert: Mapping[str, Any], now: datetime) -> datetime | None:
    """When the sender says that it began (UTC), at the latest now; None where it says nothing believable."""
    began = moment(alert.get("startsAt"))
    return None if began is None or began > now + _CLOCK_SKEW else min(began, now)


def ended_at(alert: Mapping[str, Any], now: datetime) -> datetime | None:
    """When the sender says that it was over (UTC), at the latest now; None where it says nothing believable."""
    ended, began = moment(alert.get("endsAt")), started_at(alert, now)
    if ended is None or ended > now + _CLOCK_SKEW or (began is not None and ended < began):
        return None
    return min(ended, now)


def moment(given: object) -> datetime | None:
    """A moment of RFC 3339 in UTC, with any number of decimals; without a zone it is UTC. None for anything else,
    and for what lies before the year 2000, such as Go's zero time."""
    if not isinstance(given, str) or not 10 < len(given) < 50:
        return None
    try:
        parsed = datetime.fromisoformat(given.strip())
        parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed >= _EARLIEST else None


def measured(alert: Mapping[str, Any]) -> str:
    """Grafana's measured values on one line, out of `values`, else out of the `valueString` of older versions."""
    given = alert.get("values")
    pairs = _of_map(given) if isinstance(given, Mapping) else []
    if not pairs and isinstance(alert.get("valueString"), str):
        pairs = list(_of_text(alert["valueString"][:_MAX_READ]))
    return ", ".join(f"{name} = {value}" if name else value for name, value in pairs[:_MAX_NUMBERS])


def number(value: float) -> str:
    """A number as people read it: six digits at least, no digit before the point lost, two decimals kept."""
    if isinstance(value, int):
        return str(value) if abs(value) < 10**24 else f"{Decimal(value):.6e}"
    size = abs(value)
    if not math.isfinite(value) or size >= 1e18 or 0 < size < 1e-4:
        return f"{value:.15g}" if size >= 1e18 else f"{value:g}"
    decimals = max(2, 5 - math.floor(math.log10(size))) if size else 0
    shown = f"{value:.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def texts(given: object) -> dict[str, str]:
    """The names and values of an object that are text or numbers, as text."""
    if not isinstance(given, Mapping):
        return {}
    return {
        str(name): value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in given.items()
        if isinstance(value, str | int | float)
    }


def labels(given: object) -> dict[str, str]:
    """An alert's labels, whole. What no matcher could hold is cut and ends with a digest: two values stay two."""
    known = texts(given)
    kept = list(known.items())[:MAX_LABELS]
    return {_cut(name, matchers.MAX_LABEL): _cut(value, matchers.MAX_VALUE) for name, value in kept if name}


def count(given: object) -> int:
    """A number of things; 0 for anything else."""
    return min(given, 10**9) if isinstance(given, int) and not isinstance(given, bool) and given > 0 else 0


def identifier(given: object) -> str:
    """A text or a number of any size as a name; empty for anything else."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return ""
    if isinstance(given, int):
        # Python refuses to write an integer of thousands of decimal digits.
        return str(given) if abs(given) < 10**1000 else hex(given)
    if isinstance(given, float):
        return repr(given) if math.isfinite(given) else ""
    return given


def _status(given: object) -> str | None:
    return given.strip().lower() or None if isinstance(given, str) else None


def _of_map(given: Mapping[Any, Any]) -> list[tuple[str, str]]:
    pairs = []
    for name, value in sorted(given.items(), key=lambda pair: str(pair[0])):
        if isinstance(value, str) and richtext.has_visible(value):
            pairs.append((str(name)[:50], " ".join(value.split())[:50]))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            pairs.append((str(name)[:50], number(value)))
    return pairs


def _of_text(given: str) -> Iterable[tuple[str, str]]:
    """`[ var='B' labels={…} value=44.2 ], [ … ]` as names and numbers."""
    pieces = given.split(" value=")
    for before, after in itertools.pairwise(pieces):
        value = after.partition("]")[0].strip()[:50]
        names = _NAME.findall(before.rpartition("[ ")[2]) or _NAME.findall(before)
        if value:
            yield (names[-1] if names else ""), _as_number(value)


def _as_number(text: str) -> str:
    try:
        value = float(text)
    except ValueError:
        return text
    return number(value) if math.isfinite(value) else text


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text[: limit - 17]}…{digest}"
