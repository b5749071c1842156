"""What other servers send, read so that nothing in it can raise, last for ever or fill the memory.

A header or a number of somebody else's is a claim, not a fact: it may have fourteen digits, be negative, infinite, a
date, or no number at all. What cannot be believed is None, and what is too long is cut to what we are willing to wait.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

_SECONDS: Final = re.compile(r"(\d+(?:\.\d*)?(?:[eE]\+?\d+)?)\s*(?:,|\Z)", re.ASCII)
_MAX_HEADER: Final = 1024


def retry_after(value: object, *, now: datetime, most: float) -> float | None:
    """How many seconds another server asks to wait, from 0 to `most`; None where it asks for nothing that can be read.

    `value` is the header Retry-After (RFC 9110 §10.2.3: whole seconds or a date, which counts from `now`), or a number
    in a body. A repeated header counts once. Raises nothing, whatever `value` is.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _bounded(value, most)
    if not isinstance(value, str) or len(value := value.strip()) > _MAX_HEADER:
        return None
    if (number := _SECONDS.match(value)) is not None:
        # What is beyond a float becomes infinity, and so the longest wait.
        return min(float(number[1]), most)
    moment = http_date(value)
    return None if moment is None else min(max((moment - now).total_seconds(), 0.0), most)


def _bounded(value: float, most: float) -> float | None:
    # Compared before it is converted: an integer of any length can be compared with a float, but not become one.
    if value != value or value < 0 or value == math.inf:
        return None
    return most if value >= most else float(value)


def http_date(value: str) -> datetime | None:
    """The moment that an HTTP date names, aware, in UTC; None for anything else."""
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def whole_number(value: object, *, least: int = 0, most: int = 2**63 - 1) -> int | None:
    """A whole number within bounds that a row can hold; None for everything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= most else None


def read_json(body: bytes) -> Any:
    """The JSON value of an answer; what JSON does not have (NaN, Infinity, a number beyond a float) is None in it.

    Raises ValueError for what is no JSON, or is nested too deeply, or holds a number of thousands of digits.
    """
    try:
        return json.loads(body, parse_constant=_nothing, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _nothing(_: str) -> None:
    return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
