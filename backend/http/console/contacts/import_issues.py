"""What is wrong with the lines of a file, in the reader's language: together where it is the same, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from backend.core import i18n
from backend.http.console.kit import pages
from backend.services.contacts import export

_WORDS: Final = "console_contact_imports.issue."
_COLUMNS: Final = ("kind", "line", "column", "value", "what", "do")
_MANY: Final = 50
"""Groups that a page shows; the file of all lines has the rest."""


@dataclass(slots=True)
class Group:
    """Lines with the same fault in the same column."""

    code: str
    column: str | None
    line: int | None
    value: str
    title: str
    hint: str
    more: int = 0
    """Lines like the first one."""


def grouped(issues: Sequence[Mapping[str, Any]]) -> list[Group]:
    """The issues by code and column, in the order of their first lines."""
    groups: dict[tuple[str, str | None], Group] = {}
    for issue in issues:
        known = groups.get((issue["code"], issue["column"]))
        if known is None:
            title, hint = words(issue["code"], issue["hint"])
            groups[issue["code"], issue["column"]] = Group(
                issue["code"], issue["column"], issue["line"], issue["value"], title, hint
            )
        else:
            known.more += 1
    return list(groups.values())[:_MANY]


def words(code: str, hint: str) -> tuple[str, str]:
    """What is wrong, and what to do; what the service says of a code that has no words here."""
    catalog = i18n.catalog(pages.locale())
    if f"{_WORDS}{code}" not in catalog:
        return hint, ""
    what_to_do = f"{_WORDS}{code}.do"
    return pages.t(f"{_WORDS}{code}"), pages.t(what_to_do) if what_to_do in catalog else ""


def as_csv(report: Mapping[str, Any]) -> IO[bytes]:
    """All lines that the report names, errors first: a file that no spreadsheet runs, at its start."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(pages.t(f"console_contact_imports.csv.{name}") for name in _COLUMNS)
    for kind in ("errors", "warnings"):
        for issue in report.get(kind, []):
            title, hint = words(issue["code"], issue["hint"])
            kind_words = pages.t(f"console_contact_imports.csv.{kind}")
            cells = (kind_words, issue["line"], issue["column"], issue["value"], title, hint)
            writer.writerow(export.safe(cell) for cell in cells)
    return io.BytesIO(text.getvalue().encode("utf-8-sig"))
