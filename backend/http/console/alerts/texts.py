"""The words of the pages about alerts for what services say in codes."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_datetime

from backend.http.console.kit import pages


def moment(value: datetime) -> str:
    """A moment in the person's zone, as plain text for a toast."""
    shown: str = format_datetime(value.astimezone(pages.zone()), "short", locale=pages.locale())
    return shown
