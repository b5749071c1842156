"""A file as rows of cells, whatever it is: its format, encoding and delimiter found out, or as a person chose them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO, Final

from backend.models import ContactField
from backend.services.contacts.imports import encodings, mapping, spreadsheets, text_rows, vcards
from backend.services.contacts.imports.faults import Unreadable
from backend.services.contacts.imports.text_rows import Row

_ZIP: Final = b"PK\x03\x04"
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0"
_BINARY: Final = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"\x7fELF", b"MZ")
_SAMPLE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is read. What is None was not found out yet, or has no meaning for the format."""

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None


def check_head(head: bytes) -> None:
    """Refuses by its first bytes what is certainly no file of contacts. Raises Unreadable."""
    if not head.strip(b"\0 \r\n\t\xef\xbb\xbf"):
        raise Unreadable("import_unreadable", "The file is empty.")
    if head.startswith(_OLD_OFFICE):
        raise Unreadable(
            "import_unreadable", "This is an old or an encrypted Excel file; save it as .xlsx without a password."
        )
    if head.startswith(_BINARY):
        raise Unreadable("import_unreadable", "This is no file of contacts: CSV, XLSX and vCard are read.")


def detect(stream: BinaryIO, chosen: Layout, known: Mapping[str, ContactField]) -> Layout:
    """How the file is to be read, as far as nobody chose it. Raises Unreadable."""
    stream.seek(0)
    head = stream.read(_SAMPLE)
    check_head(head)
    if head.startswith(_ZIP):
        return Layout("xlsx")
    encoding = chosen.encoding or encodings.detect(stream, lambda text: _foreign_names(text, known))
    text = _beginning(stream, encoding)
    if text.lstrip("\ufeff \r\n\t").upper().startswith("BEGIN:VCARD"):
        return Layout("vcard", encoding)
    return Layout("csv", encoding, chosen.delimiter or _delimiter(text, known))


def rows(stream: BinaryIO, layout: Layout) -> Iterator[Row]:
    """The rows of a file from its beginning, blank ones too. Raises Unreadable."""
    stream.seek(0)
    if layout.format == "xlsx":
        return spreadsheets.read(stream)
    encoding = layout.encoding or "utf-8"
    if layout.format == "vcard":
        return vcards.read(stream, encoding)
    return text_rows.read(stream, encoding, layout.delimiter or ",")


def without_bom(row: Row) -> Row:
    """The row without the mark that some files have in the middle of nowhere."""
    return replace(row, cells=[cell.removeprefix("\ufeff") for cell in row.cells])


def _beginning(stream: BinaryIO, encoding: str) -> str:
    stream.seek(0)
    try:
        return stream.read(_SAMPLE).decode(encoding, "replace")
    except (UnicodeError, LookupError):
        raise Unreadable("import_unreadable", "The file is not in this encoding; choose another one.") from None


def _foreign_names(text: str, known: Mapping[str, ContactField]) -> int:
    """How many known names that are not ASCII stand among the cells of the first lines."""
    cells = (cell.strip(' "') for line in text.splitlines()[: mapping.HEADER_WITHIN] for cell in _cells(line))
    return sum(mapping.is_known(cell, known) for cell in cells if not cell.isascii())


def _cells(line: str) -> list[str]:
    mark = max(text_rows.DELIMITERS, key=line.count)
    return line.split(mark)[: text_rows.MAX_COLUMNS]


def _delimiter(text: str, known: Mapping[str, ContactField]) -> str:
    """The delimiter under which the first rows show most known names, then the most even rows, then most columns."""
    first_line = text.lstrip("\ufeff").partition("\n")[0]
    named = text_rows.named_delimiter(first_line)
    if named is not None:
        return named
    return max(text_rows.DELIMITERS, key=lambda mark: _evidence(text, mark, known))


def _evidence(text: str, delimiter: str, known: Mapping[str, ContactField]) -> tuple[int, int, int]:
    # The last line may be cut.
    sample = io.StringIO(text, newline="")
    try:
        cells = list(islice(csv.reader(sample, delimiter=delimiter), mapping.HEADER_WITHIN))
    except csv.Error:
        return 0, 0, 0
    names = max((sum(mapping.is_known(cell, known) for cell in row[:200]) for row in cells), default=0)
    widths = Counter(len(row) for row in cells if len(row) > 1)
    width, even = widths.most_common(1)[0] if widths else (1, 0)
    return names, even, width
