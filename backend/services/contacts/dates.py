"""Dates as people and programs write them; one that can be read in two ways is refused."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

from backend.services.contacts.faults import ValueFault

_YEARS: Final = (1900, 2999)
_HINT: Final = "Write the date as YYYY-MM-DD."
_TIME: Final = (
    r"(?:[T,\s]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)
_ZONE: Final = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
_YEAR_FIRST: Final = re.compile(
    rf"(?P<year>\d{{4}})\s*[-./년年]\s*(?P<month>\d{{1,2}})\s*[-./월月]\s*(?P<day>\d{{1,2}})\s*[.일日]?{_TIME}{_ZONE}"
)
_YEAR_LAST: Final = re.compile(
    rf"(?P<one>\d{{1,2}})(?P<mark>[-./])(?P<two>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}){_TIME}{_ZONE}"
)
_NAMED: Final = re.compile(
    rf"(?:(?P<day>\d{{1,2}})[\s.-]+(?P<name>[A-Za-z]{{3,9}})|(?P<name2>[A-Za-z]{{3,9}})[\s.-]+(?P<day2>\d{{1,2}}))"
    rf",?[\s.-]+(?P<year>\d{{4}}){_TIME}{_ZONE}"
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse(text: str) -> datetime:
    """The moment that a text names, in UTC where it has no zone. Raises ValueFault (bad_date)."""
    written = unicodedata.normalize("NFKC", text).strip()
    if len(written) > 60:
        raise _refusal()
    if match := _YEAR_FIRST.fullmatch(written):
        return _moment(match, int(match["month"]), int(match["day"]))
    if match := _YEAR_LAST.fullmatch(written):
        return _moment(match, *_month_and_day(int(match["one"]), int(match["two"]), match["mark"]))
    if (match := _NAMED.fullmatch(written)) and (name := (match["name"] or match["name2"]).lower()[:3]) in _MONTHS:
        return _moment(match, _MONTHS.index(name) + 1, int(match["day"] or match["day2"]))
    raise _refusal()


def _month_and_day(first: int, second: int, mark: str) -> tuple[int, int]:
    """Points part day and month in that order everywhere; slashes and hyphens do not say which comes first."""
    if mark == "." or first > 12:
        return second, first
    if second > 12 or first == second:
        return first, second
    raise ValueFault("bad_date", "Day and month cannot be told apart. " + _HINT)


def _moment(match: re.Match[str], month: int, day: int) -> datetime:
    hour = int(match["hour"] or 0)
    if half := (match["half"] or "").lower().replace(".", ""):
        if not 1 <= hour <= 12:
            raise _refusal()
        hour = hour % 12 + (12 if half == "pm" else 0)
    year = int(match["year"])
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise _refusal()
    try:
        moment = datetime(year, month, day, hour, int(match["minute"] or 0), int(match["second"] or 0), tzinfo=UTC)
        zone = match["zone"]
        if zone and zone[0] in "+-":
            offset = datetime.strptime(zone.replace(":", ""), "%z").tzinfo
            moment = moment.replace(tzinfo=offset).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refusal() from None
    return moment


def _refusal() -> ValueFault:
    return ValueFault("bad_date", _HINT)
