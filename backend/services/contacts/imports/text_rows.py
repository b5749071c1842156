"""Rows of a delimited text file, as it is read: nothing in it makes the reader hold more than a line of it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from backend.services.contacts.imports.faults import Unreadable

DELIMITERS: Final = (",", ";", "\t", "|")
MAX_LINE: Final = 1_000_000
"""Characters of a line."""
MAX_COLUMNS: Final = 1_000
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(?P<mark>.)"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and the line (from 1) on which it begins."""

    line: int
    cells: list[str]

    def is_blank(self) -> bool:
        """Whether nothing is written in it."""
        return not any(map(str.strip, self.cells))


def read(stream: BinaryIO, encoding: str, delimiter: str) -> Iterator[Row]:
    """The rows of a file, blank lines too. What cannot be decoded is shown as U+FFFD. Raises Unreadable."""
    lines = _Lines(stream, encoding)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.begin_record()
        begun = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            hint = "A cell has more than 128 KB: probably a quotation mark is opened there and never closed."
            raise Unreadable("quote_unclosed", hint, begun) from None
        if cells is None:
            return
        if len(cells) > MAX_COLUMNS:
            raise Unreadable("too_many_columns", f"A row has at most {MAX_COLUMNS:,} cells.", begun)
        if lines.ended and lines.leaves_open(delimiter):
            raise Unreadable("quote_unclosed", "A quotation mark is opened there and never closed.", begun)
        yield Row(begun, cells)


def physical_lines(stream: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers from 1. Raises Unreadable."""
    lines = _Lines(stream, encoding)
    for line in lines:
        lines.begin_record()
        yield lines.number, line


def named_delimiter(first_line: str) -> str | None:
    """The delimiter that a first line of the form `sep=;` names."""
    match = _SEPARATOR_LINE.fullmatch(first_line.strip())
    return match["mark"] if match else None


class _Lines:
    """The lines of a file, for the CSV reader; keeps those of the present record."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        stream.seek(0)
        self._text = io.TextIOWrapper(
            cast(BinaryIO, _Unclosed(stream)), encoding=encoding, errors="replace", newline=""
        )
        self._record: list[str] = []
        self.number = 0
        self.ended = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(MAX_LINE + 1)
        except UnicodeError:
            hint = "The file does not go on in its encoding; choose another one."
            raise Unreadable("import_unreadable", hint, self.number + 1) from None
        if len(line) > MAX_LINE:
            raise Unreadable("line_too_long", f"A line has at most {MAX_LINE:,} characters.", self.number + 1)
        if not line:
            self.ended = True
            raise StopIteration
        self.number += 1
        self._record.append(line)
        return line

    def begin_record(self) -> None:
        """Forgets the lines of the record before."""
        self._record.clear()

    def leaves_open(self, delimiter: str) -> bool:
        """Whether the last record ends inside of quotation marks."""
        try:
            for _ in csv.reader(self._record, delimiter=delimiter, strict=True):
                continue
        except csv.Error as error:
            return "end of data" in str(error)
        return False


class _Unclosed(io.BufferedIOBase):
    """A stream that is left open when the text around it goes."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """It is read from."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        return self._stream.read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        return self._stream.read(size)
