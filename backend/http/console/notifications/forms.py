"""The form of a type of notifications."""

from __future__ import annotations

from typing import Any, Final

from flask import request

from backend.core import i18n
from backend.http import bodies
from backend.http.console.kit import form_errors


def _field_of(path: str) -> str:
    """A template's fault stands at its language; what all of them lack, at the first."""
    return path.replace("templates.", "template_") if path != "templates" else "template_en"


FORM: Final = form_errors.Form(
    "type",
    labels={
        name: f"console_notifications.type.{name}"
        for name in ("name", "title", "button_label", "button_url", "template_en", "template_ko")
    },
    field_of=_field_of,
    by_code={"type_exists": "name"},
)


def given() -> dict[str, Any]:
    """The form as the schemas know it: what was left empty is none, and of the templates there is none."""
    bodies.check_pairs(request.form.items(multi=True))
    text = {name: request.form.get(name, "").strip() for name in ("title", "button_label", "button_url")}
    # A browser sends line breaks as two characters; a text has one.
    templates = {locale: request.form.get(f"template_{locale}", "").replace("\r\n", "\n") for locale in i18n.LOCALES}
    return {
        **{name: value or None for name, value in text.items()},
        "templates": {locale: words for locale, words in templates.items() if words.strip()},
    }
