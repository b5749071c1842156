"""The forms of an import: which column holds what, how rows meet the contacts, how the file is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from flask import request

from backend.http.console.contacts.forms import parts_of
from backend.http.console.kit import form_errors, forms, pages
from backend.http.schemas.contact_imports import ContactImportChange
from backend.models import ContactField, ContactImport
from backend.services.contacts.imports import mapping

COLUMN: Final = "column_"
"""Before the number of a column: their names may be anything."""
MODES: Final[dict[str, dict[str, Any]]] = {
    "both": {"mode": "both", "overwrite": False},
    "create": {"mode": "create", "overwrite": False},
    "update": {"mode": "update", "overwrite": False},
    "overwrite": {"mode": "both", "overwrite": True},
}
"""What a person chooses of `mode` and `overwrite`."""
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_FOUND_OUT: Final = "found"

FILE: Final = form_errors.Form("import", labels={"file": "console_contact_imports.file"})
COLUMNS: Final = form_errors.Form(
    "import",
    labels={
        "region": "console_contact_imports.region",
        "tags": "console_contact_imports.tags",
        "mapping": "console_contact_imports.columns",
    },
)
READING: Final = form_errors.Form(
    "import",
    labels={
        "encoding": "console_contact_imports.encoding",
        "delimiter": "console_contact_imports.delimiter",
        "header_row": "console_contact_imports.header_row",
    },
)


def columns(job: ContactImport) -> dict[str, Any]:
    """The changes that the form of the columns asks for. Raises Invalid."""
    chosen = {
        column["name"]: request.form.get(f"{COLUMN}{index}", "").strip() or None
        for index, column in enumerate(job.columns)
        if f"{COLUMN}{index}" in request.form
    }
    given: dict[str, Any] = {"mapping": chosen, "tags": parts_of(request.form.get("tags", ""))}
    region = request.form.get("region", "").strip().upper()
    given["region"] = region or None
    given |= MODES.get(request.form.get("mode", ""), {})
    return forms.checked(ContactImportChange, given).model_dump(exclude_unset=True)


def reading() -> dict[str, Any]:
    """The changes that the form of the reading asks for; what is to be found out is None. Raises Invalid."""
    given: dict[str, Any] = dict(forms.values("header_row"))
    for name in ("encoding", "delimiter"):
        value = request.form.get(name, "")
        given[name] = value if value and value != _FOUND_OUT else None
    return forms.checked(ContactImportChange, given).model_dump(exclude_unset=True)


def options(own: Iterable[ContactField]) -> list[tuple[str, str]]:
    """What a column can hold, with the words for it; the first is nothing."""
    listed = [("", pages.t("console_contact_imports.to.nothing"))]
    listed += [(name, pages.t(f"console_contact_imports.to.{name}")) for name in mapping.FIELDS]
    return listed + [(field.key, pages.t("console_contact_imports.to.own", name=field.name)) for field in own]


def mode_of(job: ContactImport) -> str:
    """The choice that an import stands for."""
    if job.overwrite and job.mode == "both":
        return "overwrite"
    return job.mode


def first_line(job: ContactImport) -> int:
    """The line of the first row that is shown of each column."""
    return (job.header_row or 0) + 1
