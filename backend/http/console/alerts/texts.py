"""The words of the pages about alerts for what services say in codes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from babel.dates import format_datetime

from backend.core import i18n
from backend.core.errors import Invalid
from backend.http.console.kit import pages


def faults(error: Invalid) -> dict[str, str]:
    """What is wrong by field, in the person's language where the console has words for the code."""
    listed = error.detail if isinstance(error.detail, list) else []
    by_field = {}
    for fault in listed:
        if isinstance(fault, Mapping):
            by_field[str(fault.get("field", ""))] = words(str(fault.get("code", "")), str(fault.get("message", "")))
    return by_field or {"": words(error.code, error.message)}


def moment(value: datetime) -> str:
    """A moment in the person's zone, as plain text for a toast."""
    shown: str = format_datetime(value.astimezone(pages.zone()), "short", locale=pages.locale())
    return shown


def words(code: str, otherwise: str) -> str:
    """The words of a code, or what the service said."""
    known = f"console_alerts.fault.{code}"
    return pages.t(known) if known in i18n.catalog(pages.locale()) else otherwise
