"""The form of what a person wants to hear, and when."""

from __future__ import annotations

from typing import Any, Final

from flask import request

from backend.http.console.kit import form_errors, forms
from backend.models import User
from backend.services import notifications

_FIELDS = {"quiet_hours.start": "quiet_start", "quiet_hours.end": "quiet_end", "quiet_hours": "quiet_start"}
FORM: Final = form_errors.Form(
    labels={
        "timezone": "console_telegram.timezone",
        "daily_summary_at": "console_telegram.summary_at",
        "quiet_start": "console_telegram.quiet_from",
        "quiet_end": "console_telegram.quiet_until",
        "locale": "console_telegram.locale",
    },
    field_of=lambda path: _FIELDS.get(path, path),
)


def typed(person: User) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was typed, as the API takes it and as the form shows it again."""
    given: dict[str, Any] = dict(forms.values("locale", "timezone", "daily_summary_at"))
    start, end = (request.form.get(name, "").strip() for name in ("quiet_start", "quiet_end"))
    given["daily_summary_when_empty"] = "daily_summary_when_empty" in request.form
    given["quiet_hours"] = {"start": start, "end": end} if start or end else None
    known = notifications.preferences_of(person).types
    given["types"] = {name: f"type.{name}" in request.form for name in known}
    return given, {**given, "quiet_start": start, "quiet_end": end}
