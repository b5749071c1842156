"""The forms of contacts: what their fields are called, and what was typed as the API takes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flask import request

from backend.core.errors import AppError
from backend.http import bodies
from backend.http.console.contacts import shown
from backend.http.console.kit import form_errors, forms
from backend.models import ContactField

TEXTS: Final = (
    "first_name", "last_name", "company", "title", "phone", "email", "telegram_username", "locale", "timezone",
    "region", "source",
)  # fmt: skip
OWN_FIELD: Final = "field_"
"""Before the key of a custom field."""


def _field_of(path: str) -> str:
    name, _, key = path.partition(".")
    return OWN_FIELD + key if name == "fields" and key else name


CONTACT: Final = form_errors.Form(
    "contact",
    labels={name: f"console_contacts.field.{name}" for name in (*TEXTS, "owner_id", "tags")},
    field_of=_field_of,
    by_code={"person_not_found": "owner_id"},
)
_POINT: Final = dict.fromkeys(("phone", "email", "telegram_username", "telegram_user_id", "contact_id"), "value")
"""Whatever a point is: there is one field for it."""
POINT: Final = form_errors.Form(
    "contact", labels={"value": "console_contacts.point.value"}, field_of=lambda path: _POINT.get(path, path)
)
CONSENT: Final = form_errors.Form(
    "consent",
    labels={
        name: f"console_contacts.consent.{name}"
        for name in ("channel", "purpose", "source", "source_detail", "wording", "evidence", "obtained_at")
    },
)
LIFT: Final = form_errors.Form("lift", labels={"reason": "console_contacts.lift.reason"})
SUPPRESS: Final = form_errors.Form("contact", labels={"value": "console_contacts.point.value"})
FIELD: Final = form_errors.Form(
    "contact_field",
    labels={name: f"console_contacts.own.{name}" for name in ("key", "name", "type", "choices")},
    by_code={"contact_field_exists": "key"},
)
SETTINGS: Final = form_errors.Form(
    "contact",
    labels={
        "region": "console_contacts.field.region",
        "timezone": "console_contacts.field.timezone",
        "opt_in_wording": "console_contacts.opt_in.wording",
        "opt_out_words": "console_contacts.opt_out.words",
        "quiet_days": "console_contacts.quiet_days",
    },
)
SEGMENT: Final = form_errors.Form(
    "segment", labels={"name": "console_contacts.segment.name"}, by_code={"segment_exists": "name"}
)
TAG: Final = form_errors.Form("tag", labels={"name": "console_contacts.tag.name"}, by_code={"tag_exists": "name"})


def typed() -> dict[str, str]:
    """The form as it was typed, for showing it again. Raises Invalid for text that cannot be stored."""
    bodies.check_pairs(request.form.items(multi=True))
    return request.form.to_dict()


def given(own: Iterable[ContactField], *, empty: bool) -> dict[str, Any]:
    """A contact as the API takes it; with `empty` a field in which nothing stands takes its value away."""
    typed_values = typed()
    values: dict[str, Any] = {}
    for name in (*TEXTS, "owner_id"):
        written = typed_values.get(name, "").strip()
        if written or (empty and name in typed_values):
            values[name] = written or None
    if values.get("region"):
        values["region"] = values["region"].upper()
    if "tags" in typed_values:
        values["tags"] = parts_of(typed_values["tags"])
    fields = {}
    for field in own:
        written = typed_values.get(OWN_FIELD + field.key, "").strip()
        if written or (empty and OWN_FIELD + field.key in typed_values):
            fields[field.key] = written or None
    if fields:
        values["fields"] = fields
    return values


def of_contact(contact: Mapping[str, Any]) -> dict[str, Any]:
    """What the form of a contact begins with."""
    values = {name: contact[name] or "" for name in (*TEXTS, "owner_id") if name != "timezone"}
    points = {point["kind"]: shown.value_of(point) for point in contact["points"] if point["is_primary"]}
    values |= {"phone": points.get("phone", ""), "telegram_username": points.get("username", "")}
    values["timezone"] = contact["timezone"] if contact["timezone_source"] == "given" else ""
    values["tags"] = ", ".join(contact["tags"])
    return values | {OWN_FIELD + key: _in_form(value) for key, value in contact["fields"].items()}


def other_contact(error: AppError) -> int | None:
    """The contact that has the identifier already."""
    holder = form_errors.detail_of(error, "contact_id")
    return holder if error.code == "contact_exists" and isinstance(holder, int) else None


def parts_of(text: str) -> list[str]:
    """What stands between commas and line ends."""
    return [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]


def values(*names: str) -> dict[str, Any]:
    """The named fields that are not empty."""
    return dict(forms.values(*names))


def _in_form(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
