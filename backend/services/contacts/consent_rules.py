"""What a country's law asks of marketing messages, as plain values. Korea: Network Act, article 50."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

PURPOSE: Final = "marketing"


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for one recipient: what stands at the head of a message, when none goes out, how long consent lasts."""

    name: str
    head: str
    """Before the sender's name."""
    needs_refusal_line: bool
    night_from: time
    night_until: time
    zone: str
    consent_years: int


KOREA: Final = Rules("kr", "(광고)", True, time(21), time(8), "Asia/Seoul", 2)


def applying(setting: str, phone_numbers: Iterable[str], region: str | None) -> Rules | None:
    """The rules for a person, from the workspace's setting (`by_number`, `kr`, `none`), numbers in E.164, region."""
    if setting == "none":
        return None
    if setting == "kr" or region == "KR" or any(number.startswith("+82") for number in phone_numbers):
        return KOREA
    return None


def is_night(rules: Rules, local: time) -> bool:
    """Whether nothing goes out at this local time without a consent for the night; `night_until` is excluded."""
    return local >= rules.night_from or local < rules.night_until


def expiry(rules: Rules | None, purpose: str, obtained_at: datetime) -> datetime | None:
    """When a consent of this purpose ends by itself; None where it does not."""
    if rules is None or purpose != PURPOSE:
        return None
    year = obtained_at.year + rules.consent_years
    try:
        return obtained_at.replace(year=year)
    except ValueError:  # 29 February
        return obtained_at.replace(year=year, month=3, day=1)
