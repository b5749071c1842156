"""Phone numbers: any notation to E.164, the time zones of a number, a notation that spreadsheets leave alone."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import timezone as phone_zones
from phonenumbers.phonenumberutil import NumberParseException, PhoneNumberFormat, ValidationResult

from backend.services.contacts.faults import ValueFault

MAX_LENGTH: Final = 60
_SCIENTIFIC: Final = re.compile(r"\+?(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})")
_FLOAT: Final = re.compile(r"(\d{6,})[.,]0+")
_INVISIBLE: Final = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_INTERNATIONAL: Final = re.compile(r"[\s(]*00[\s)]*(?=[1-9(])")
_UNKNOWN_ZONE: Final = "Etc/Unknown"
_EXCEL_HINT: Final = (
    "Excel shortened this number. In Excel, format the column as text or as a number without decimals,"
    " and export again."
)
_REGION_HINT: Final = (
    "This is a national number. Choose the region of the file, or write it with + and the country code."
)


@dataclass(frozen=True, slots=True)
class Phone:
    """A number in E.164. `validity` is `possible` where its length fits and its range is not assigned."""

    e164: str
    validity: str


def parse(text: str, region: str | None = None) -> Phone:
    """Reads a number; a national one as of `region` (two letters). Raises ValueFault: phone_invalid, excel_number."""
    written = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip().lstrip("'").strip()
    if len(written) > MAX_LENGTH:
        raise ValueFault("too_long", "A phone number has at most 15 digits.")
    written = _restore(written).removeprefix("tel:")
    written = _INTERNATIONAL.sub("+", written, count=1) if _INTERNATIONAL.match(written) else written
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException as error:
        code = error.error_type
        national = code == NumberParseException.INVALID_COUNTRY_CODE and region is None and any(map(str.isdigit, text))
        raise ValueFault("phone_invalid", _REGION_HINT if national else "This is no phone number.") from None
    validity = "valid" if phonenumbers.is_valid_number(number) else "possible"
    if validity == "possible" and phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise ValueFault("phone_invalid", "No number of its country has this many digits.")
    return Phone(f"+{number.country_code}{phonenumbers.national_significant_number(number)}", validity)


def zones_of(e164: str) -> tuple[str, ...]:
    """The time zones in which a number may be, sorted; none where that is not known."""
    number = phonenumbers.parse(e164)
    return tuple(sorted(zone for zone in phone_zones.time_zones_for_number(number) if zone != _UNKNOWN_ZONE))


def region_of(e164: str) -> str | None:
    """The country of a number, as two letters."""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(e164))
    return None if region in (None, "001") else str(region)


def spaced(e164: str) -> str:
    """The number in groups, which a spreadsheet keeps as text."""
    return str(phonenumbers.format_number(phonenumbers.parse(e164), PhoneNumberFormat.INTERNATIONAL)).replace("-", " ")


def is_region(text: str) -> bool:
    """Whether a region has phone numbers of its own."""
    return text in phonenumbers.SUPPORTED_REGIONS


def _restore(written: str) -> str:
    """Undoes what a spreadsheet did to a number, where nothing of it was lost. Raises ValueFault (excel_number)."""
    if whole := _FLOAT.fullmatch(written):
        return whole[1]
    scientific = _SCIENTIFIC.fullmatch(written)
    if scientific is None:
        return written
    digits, exponent = scientific[1] + (scientific[2] or ""), int(scientific[3])
    if len(digits) <= exponent:
        raise ValueFault("excel_number", _EXCEL_HINT)
    return digits[: exponent + 1]
