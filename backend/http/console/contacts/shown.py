"""How a contact is named on the pages, and what a row says of consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from backend.core import clock
from backend.http.console.kit import pages
from backend.services.contacts import phones

ENDS_SOON: Final = timedelta(days=30)
KINDS: Final = {"phone": "phone", "email": "mail", "username": "send", "telegram_user": "send"}
"""The kinds of points with their icons."""
_HANGUL: Final = range(0xAC00, 0xD7A4)


def name_of(contact: Mapping[str, Any]) -> str:
    """What people call the contact: the name, the company, or what identifies them."""
    first, last = contact["first_name"], contact["last_name"]
    if first and last:
        return f"{last}{first}" if _is_hangul(first) and _is_hangul(last) else f"{first} {last}"
    points = contact["points"]
    reached = value_of(points[0]) if points else pages.t("console_contacts.nameless", id=contact["id"])
    return str(first or last or contact["company"] or reached)


def value_of(point: Mapping[str, Any]) -> str:
    """A point as people write it: phone numbers in groups, user names with their sign."""
    if point["kind"] == "phone":
        return phones.spaced(point["value"])
    return f"@{point['value']}" if point["kind"] == "username" else str(point["value"])


def note_of(contact: Mapping[str, Any]) -> str:
    """The line below the name: company and title, unless the name is the company."""
    given = [contact["company"], contact["title"]]
    return " · ".join(part for part in given if part and part != name_of(contact))


def consent_of(contact: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """The state of `kit.components.STATES` that marketing consents amount to, and the entry that decides it."""
    entries = [entry for entry in contact["consents"] if entry["purpose"] == "marketing"]
    if not entries:
        return "no_consent", None
    for entry in _newest_first(entries, "given"):
        ends = entry["expires_at"]
        return ("consent_ends" if ends is not None and ends <= clock.now() + ENDS_SOON else "consent"), entry
    for entry in _newest_first(entries, "withdrawn"):
        return "withdrawn", entry
    return "consent_over", _newest_first(entries, "expired")[0]


def _newest_first(entries: Sequence[Mapping[str, Any]], state: str) -> list[Mapping[str, Any]]:
    return sorted(
        (entry for entry in entries if entry["state"] == state), key=lambda entry: entry["obtained_at"], reverse=True
    )


def _is_hangul(text: str) -> bool:
    return all(ord(char) in _HANGUL for char in text if not char.isspace())
