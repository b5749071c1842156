"""Lists of people who must not be written to: hashed as they arrive, never stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from backend.core.errors import TooLarge
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import identifiers, settings, suppressions
from backend.services.contacts.faults import ValueFault, invalid
from backend.services.contacts.identifiers import Identifier

MAX_BYTES: Final = 2 * 1024 * 1024
_MAX_ERRORS: Final = 200
_BATCH: Final = 1_000
_CELLS: Final = re.compile(r"[,;\t]")


@dataclass
class Outcome:
    """What became of a list."""

    rows: int = 0
    added: int = 0
    known: int = 0
    errors: list[dict[str, object]] = field(default_factory=list)
    errors_total: int = 0


def load(by: Attribution, stream: BinaryIO, *, kind: str | None, region: str | None, code: str) -> Outcome:
    """Suppresses each identifier of a text file: one a line, the first cell that is an identifier counts.

    A line of which nothing can be read is an error. Raises TooLarge over 2 MB and Invalid (import_unreadable).
    """
    settings.check_region(region)
    region = region or settings.get().region
    outcome = Outcome()
    batch: list[Identifier] = []
    for number, line in _lines(stream):
        outcome.rows += 1
        try:
            batch.append(_first(line, kind, region))
        except ValueFault as fault:
            outcome.errors_total += 1
            if len(outcome.errors) < _MAX_ERRORS:
                outcome.errors.append({"line": number, "code": fault.code, "hint": fault.hint})
        if len(batch) == _BATCH:
            _store(by, batch, code, outcome)
            batch = []
    _store(by, batch, code, outcome)
    audit.record(by, "suppression.imported", rows=outcome.rows, added=outcome.added)
    return outcome


def _lines(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise TooLarge("file_too_large", f"A list may have at most {MAX_BYTES:,} bytes.")
    try:
        encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        decoded = raw.decode(encoding)
    except UnicodeDecodeError:
        # Identifiers are ASCII in every encoding in question.
        decoded = raw.decode("latin-1")
    if "\0" in decoded:
        raise invalid("file", "import_unreadable", "This is no text file.")
    for number, line in enumerate(decoded.splitlines(), 1):
        if line.strip():
            yield number, line


def _first(line: str, kind: str | None, region: str | None) -> Identifier:
    """The first identifier of a line. Raises ValueFault, of the only cell or in general."""
    cells = [cell.strip().strip('"') for cell in _CELLS.split(line) if cell.strip().strip('"')]
    for cell in cells:
        if kind is None:
            if identifier := _guess(cell, region):
                return identifier
            continue
        try:
            return identifiers.of_kind(kind, cell, region)
        except ValueFault:
            if len(cells) == 1:
                raise
    raise ValueFault("no_point", "Nothing in this line is a phone number, an e-mail address or a user name.")


def _guess(cell: str, region: str | None) -> Identifier | None:
    """An e-mail address, a user name with @ or as a link, or a phone number: in this order, none by a bare word."""
    try:
        if "@" in cell.lstrip("@"):
            return identifiers.email(cell)
        if cell.startswith("@") or "t.me/" in cell:
            return identifiers.telegram(cell)
        return identifiers.phone(cell, region)
    except ValueFault:
        return None


def _store(by: Attribution, batch: list[Identifier], code: str, outcome: Outcome) -> None:
    hashes = {(identifier.kind, identifier.hash()) for identifier in batch}
    added = suppressions.add(hashes, by, code, "import")
    outcome.added += added
    outcome.known += len(batch) - added
    suppressions.inherit(suppressions.holders_of([value_hash for _, value_hash in hashes]), by)
