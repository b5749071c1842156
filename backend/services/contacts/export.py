"""Contacts as a CSV file that a spreadsheet opens as it is meant: no formulas, phone numbers whole."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import IO, Any, Final

from sqlalchemy import Select

from backend.core.database import db
from backend.models import Contact
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import custom_fields, filters, phones, serializers
from backend.services.contacts.filters import ContactFilter

_COLUMNS: Final = (
    "id", "first_name", "last_name", "company", "title", "phone", "other_phones", "email", "other_emails",
    "telegram_username", "locale", "timezone", "region", "tags", "source", "suppressed", "created_at",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SPACED_PHONES: Final = re.compile(r"\+\d[\d ]+(?:; \+\d[\d ]+)*")
_PAGE: Final = 500
_IN_MEMORY: Final = 1024 * 1024


def write(by: Attribution, *wanted: ContactFilter) -> IO[bytes]:
    """All contacts that pass these filters as a file, UTF-8 with a byte order mark, at its start. Raises Invalid."""
    keys = list(custom_fields.by_key())
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by whoever sends it
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([*_COLUMNS, *keys])
    query, last, rows = filters.select_contacts(*wanted), 0, 0
    while contacts := _page(query, last):
        for shown in serializers.describe(contacts):
            writer.writerow(safe(cell) for cell in _cells(shown, keys))
        last, rows = contacts[-1].id, rows + len(contacts)
        db.session.expunge_all()
    text.detach()
    file.seek(0)
    audit.record(by, "contacts.exported", rows=rows)
    return file


def safe(value: Any) -> str:
    """A cell that no spreadsheet runs: what begins like a formula gets an apostrophe, grouped numbers stay."""
    written = "" if value is None else str(value)
    if isinstance(value, str) and written.startswith(_FORMULA) and not _SPACED_PHONES.fullmatch(written):
        return "'" + written
    return written


def _page(query: Select[Any], last: int) -> Sequence[Contact]:
    return db.session.scalars(query.where(Contact.id > last).order_by(Contact.id).limit(_PAGE)).all()


def _cells(shown: dict[str, Any], keys: Iterable[str]) -> list[Any]:
    values = dict(shown)
    values["phone"] = phones.spaced(shown["phone"]) if shown["phone"] else None
    values["other_phones"] = "; ".join(phones.spaced(number) for number in _others(shown, "phone"))
    values["other_emails"] = "; ".join(_others(shown, "email"))
    values["tags"] = "; ".join(shown["tags"])
    values["suppressed"] = "yes" if shown["suppressed"] else "no"
    created: datetime = shown["created_at"]
    values["created_at"] = created.isoformat(timespec="seconds")
    return [*(values[name] for name in _COLUMNS), *(shown["fields"].get(key) for key in keys)]


def _others(shown: dict[str, Any], kind: str) -> list[str]:
    return [point["value"] for point in shown["points"] if point["kind"] == kind and not point["is_primary"]]
