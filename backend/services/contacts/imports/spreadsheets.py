"""Rows of an XLSX file, one by one; what would unpack to far more than a file of contacts is refused before."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import ParseError

from backend.services.contacts.imports.faults import Unreadable
from backend.services.contacts.imports.text_rows import MAX_COLUMNS, Row

_MAX_SHEET: Final = 1024 * 1024 * 1024
_MAX_TEXTS: Final = 64 * 1024 * 1024
"""Bytes of the table of texts, which is held in memory."""
_MAX_OTHER: Final = 8 * 1024 * 1024
_DEFECTS: Final = (
    zipfile.BadZipFile, zlib.error, ParseError, KeyError, ValueError, TypeError, IndexError, AttributeError,
    EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What the library raises for files that are damaged on purpose or otherwise."""
_EXACT: Final = 10**15
"""Whole numbers from here on have lost digits in the file already."""
_REFUSAL: Final = "This workbook cannot be read; save it again as .xlsx or as CSV."


def read(stream: BinaryIO) -> Iterator[Row]:
    """The rows of the first sheet that has any. Raises Unreadable."""
    # Here, so that processes that never read a workbook do without its seven megabytes.
    import openpyxl

    try:
        _check_sizes(stream)
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            # What the file says of its size is often wrong.
            sheet.reset_dimensions()
            rows = _rows(sheet)
            first = next(rows, None)
            if first is not None:
                yield first
                yield from rows
                return
    except _DEFECTS:
        raise Unreadable("import_unreadable", _REFUSAL) from None


def _rows(sheet: Any) -> Iterator[Row]:
    for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
        if len(values) > MAX_COLUMNS and any(value is not None for value in values[MAX_COLUMNS:]):
            raise Unreadable("too_many_columns", f"A row has at most {MAX_COLUMNS:,} cells.", number)
        yield Row(number, [_text(value) for value in values[:MAX_COLUMNS]])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _check_sizes(stream: BinaryIO) -> None:
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive:
        for item in archive.infolist():
            name = item.filename.lower()
            limit = _MAX_SHEET if "worksheets/" in name else _MAX_TEXTS if "sharedstrings" in name else _MAX_OTHER
            # Pictures and the like are never unpacked.
            if name.endswith((".xml", ".rels")) and item.file_size > limit:
                raise Unreadable("import_unreadable", "This workbook unpacks to too much; save it as CSV.")
    stream.seek(0)
