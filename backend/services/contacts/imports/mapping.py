"""Which column holds what: the header among the first rows, fields guessed from names, and what a person chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.models import ContactField
from backend.services.contacts.faults import invalid
from backend.services.contacts.imports import synonyms
from backend.services.contacts.imports.text_rows import Row

FIELDS: Final = (
    "first_name", "last_name", "full_name", "company", "title", "email", "phone", "telegram_username", "locale",
    "timezone", "region", "source", "tags", "consent_at", "consent_source", "do_not_contact",
)  # fmt: skip
IDENTIFYING: Final = frozenset({"phone", "email", "telegram_username"})
SEVERAL: Final = IDENTIFYING | {"tags", "do_not_contact"}
"""Fields that more than one column may hold."""
HEADER_WITHIN: Final = 50
"""Rows among which the header is searched for."""
_ENOUGH: Final = 2


@dataclass(frozen=True, slots=True)
class Header:
    """The line of the header (0 where the file has none) and the names of the columns, each of its own."""

    line: int
    names: list[str]


def find_header(rows: Sequence[Row], known: Mapping[str, ContactField]) -> Header:
    """The first row with two known names; else the one with most, if it has any; else the first row of whole width,
    unless it holds a number or an address already."""
    counts = [(sum(is_known(cell, known) for cell in row.cells), row) for row in rows]
    for count, row in counts:
        if count >= _ENOUGH:
            return Header(row.line, unique_names(row.cells))
    best = max(counts, key=lambda counted: counted[0], default=(0, None))
    if best[0] and best[1] is not None:
        return Header(best[1].line, unique_names(best[1].cells))
    width = max((len(row.cells) for row in rows), default=0)
    first = next((row for row in rows if len(row.cells) == width and not row.is_blank()), None)
    if first is not None and not any(_is_value(cell) for cell in first.cells):
        return Header(first.line, unique_names(first.cells))
    return Header(0, [f"Column {number}" for number in range(1, width + 1)])


def is_known(name: str, known: Mapping[str, ContactField]) -> bool:
    """Whether a cell is the name of a column that holds something of a contact."""
    return len(name) <= 100 and _field_of(name, known)[0] is not None


def unique_names(cells: Iterable[str]) -> list[str]:
    """The names of the columns; empty ones get a number, repeated ones one in brackets."""
    names: list[str] = []
    used: set[str] = set()
    for number, cell in enumerate(cells, 1):
        base = " ".join(cell.replace("\ufeff", "").replace("\0", "").split())[:100] or f"Column {number}"
        name, repeat = base, 2
        while name in used:
            name, repeat = f"{base} ({repeat})", repeat + 1
        used.add(name)
        names.append(name)
    return names


def guess(header: Header, samples: Sequence[Row], known: Mapping[str, ContactField]) -> dict[str, str | None]:
    """The field of each column. A field that one column holds goes to the one with the best name."""
    guessed: dict[str, str | None] = {}
    best: dict[str, tuple[int, str]] = {}
    for index, name in enumerate(header.names):
        field, rank = _field_of(name, known)
        if field is None and (header.line == 0 or set(synonyms.fold(name).split()) & synonyms.WEBSITE):
            field = _by_content(index, samples, only_telegram=header.line != 0)
        if field is not None and field not in SEVERAL:
            if field in best and best[field][0] <= rank:
                field = None
            else:
                if field in best:
                    guessed[best[field][1]] = None
                best[field] = (rank, name)
        guessed[name] = field
    return guessed


def check(mapping: Mapping[str, Any], names: Sequence[str], known: Mapping[str, ContactField]) -> None:
    """Checks what a person chose. Raises Invalid: unknown_column, unknown_contact_field, field_twice."""
    chosen: set[str] = set()
    for name, field in mapping.items():
        where = f"mapping.{name[:100]}"
        if name not in names:
            raise invalid(where, "unknown_column", "The file has no column of this name.")
        if field is None:
            continue
        if field not in FIELDS and field not in known:
            raise invalid(where, "unknown_contact_field", "A contact has no such field.")
        if field in chosen and field not in SEVERAL:
            raise invalid(where, "field_twice", f"Only one column can be {field}.")
        chosen.add(field)


def identifies(mapping: Mapping[str, str | None]) -> bool:
    """Whether some column identifies a person."""
    return any(field in IDENTIFYING for field in mapping.values())


def _field_of(name: str, known: Mapping[str, ContactField]) -> tuple[str | None, int]:
    """The field that a column's name means, and how good the name is for it (0 is best)."""
    folded = synonyms.fold(name)
    for key, custom in known.items():
        if folded in (synonyms.fold(key), synonyms.fold(custom.name)):
            return key, 0
    if not folded:
        return None, 0
    for candidate in dict.fromkeys((folded, folded.removeprefix("person ").removeprefix("contact "))):
        for field, names in synonyms.EXACT.items():
            if candidate in names:
                return field, names.index(candidate)
    words = set(folded.replace("e mail", "email").split())
    if words & synonyms.NEVER or ("main" in words and "company" in words):
        return None, 0
    for field, keywords in (
        ("telegram_username", synonyms.TELEGRAM),
        ("email", synonyms.EMAIL),
        ("phone", synonyms.PHONE),
    ):
        if words & keywords and not (field == "email" and words & {"name", "names"}):
            return field, 0
    return None, 0


def _is_value(cell: str) -> bool:
    """Whether a cell holds an address, a link or a number, as no name of a column does."""
    return "@" in cell or "://" in cell or sum(map(str.isdigit, cell)) > 6


def _by_content(index: int, samples: Sequence[Row], *, only_telegram: bool) -> str | None:
    """What a column without a name of its own holds, where its cells leave no doubt."""
    cells = [row.cells[index].strip() for row in samples if index < len(row.cells) and row.cells[index].strip()]
    if any("t.me/" in cell.lower() for cell in cells):
        return "telegram_username"
    if only_telegram or not cells:
        return None
    if all("@" in cell and "." in cell.rpartition("@")[2] for cell in cells):
        return "email"
    return (
        "phone" if all(cell.lstrip("'").startswith("+") and sum(map(str.isdigit, cell)) > 6 for cell in cells) else None
    )
