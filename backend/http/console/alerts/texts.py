"""The words of the pages about alerts for what services say in codes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from babel.dates import format_datetime

from backend.http.console.kit import form_errors, pages

MATCHER_LABELS: Final = {
    "matchers": "console_alerts.matchers",
    "matchers.label": "console_alerts.matcher.its_label",
    "matchers.value": "console_alerts.matcher.its_value",
    "matchers.op": "console_alerts.matcher.its_op",
}


def field_of(path: str) -> str:
    """The field of a form with matchers: what is wrong with one of their lines stands at that line."""
    name, _, rest = path.partition(".")
    return f"{name}.{rest.partition('.')[0]}" if name == "matchers" and rest else form_errors.first_part(path)


def moment(value: datetime) -> str:
    """A moment in the person's zone, as plain text for a toast."""
    shown: str = format_datetime(value.astimezone(pages.zone()), "short", locale=pages.locale())
    return shown
