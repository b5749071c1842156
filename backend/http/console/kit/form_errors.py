"""What was refused, in the reader's language: by field for a form, in one line for everything else."""

from __future__ import annotations

from collections.abc import Mapping

from backend.core import i18n
from backend.core.errors import AppError
from backend.http.console.kit import pages


def by_field(error: AppError, *, fields: Mapping[str, str] | None = None) -> dict[str, str]:
    """The messages by the form's field, under the empty name what belongs to none. `fields` names those that the form
    calls otherwise."""
    listed = error.detail if isinstance(error.detail, list) else []
    found: dict[str, str] = {}
    for one in listed:
        if isinstance(one, Mapping):
            field = str(one.get("field", "")).split(".")[0]
            name = (fields or {}).get(field, field)
            found.setdefault(name, _words(str(one.get("code", "")), str(one.get("message", ""))))
    return found or {"": told(error)}


def told(error: AppError) -> str:
    """One sentence of what was refused."""
    return _words(error.code, error.message)


def _words(code: str, message: str) -> str:
    """The catalog's words for the code; a code without any keeps the service's own."""
    known = f"console_faults.{code}"
    return pages.t(known) if known in i18n.catalog(pages.locale()) else message
