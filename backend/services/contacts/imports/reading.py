"""Reading a file: its layout, its columns with samples, the mapping that is guessed or remembered, and its people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.core.encrypted_columns import keyring
from backend.models import ContactField, ContactImport
from backend.services.contacts import custom_fields, settings
from backend.services.contacts.imports import formats, mapping
from backend.services.contacts.imports.faults import Unreadable
from backend.services.contacts.imports.formats import Layout
from backend.services.contacts.imports.mapping import Header
from backend.services.contacts.imports.person_rows import PersonReader, PersonRow
from backend.services.contacts.imports.text_rows import Row

BATCH: Final = 1_000
MAX_ROWS: Final = 1_000_000
_SAMPLES: Final = 3
_GUESSED_FROM: Final = 20
_SHOWN: Final = 100


def read_columns(job: ContactImport, stream: BinaryIO) -> None:
    """Finds out how a file is read and what its columns hold; sets that on the import. Raises Unreadable."""
    known = custom_fields.by_key()
    layout = formats.detect(stream, Layout(None, job.encoding, job.delimiter), known)
    first = [formats.without_bom(row) for row in islice(formats.rows(stream, layout), mapping.HEADER_WITHIN)]
    if all(row.is_blank() for row in first):
        raise Unreadable("import_unreadable", "The file has no rows.")
    header = _header(job.header_row, first, known)
    below = [row for row in first if row.line > header.line and not row.is_blank()]
    job.format, job.encoding, job.delimiter, job.header_row = (
        layout.format,
        layout.encoding,
        layout.delimiter,
        header.line,
    )
    hashed = keyring().lookup("contact_import.header", "\x1f".join(sorted(header.names)))
    if job.header_hash != hashed or not job.mapping:
        job.mapping = _remembered(hashed, header.names, known, job.id) or mapping.guess(
            header, below[:_GUESSED_FROM], known
        )
    job.header_hash = hashed
    columns = [{"name": name, "samples": _samples(below, index)} for index, name in enumerate(header.names)]
    job.columns_json = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))


def _header(chosen: int | None, first: Sequence[Row], known: Mapping[str, ContactField]) -> Header:
    if chosen is None:
        return mapping.find_header(first, known)
    row = next((row for row in first if row.line == chosen), None)
    if row is not None:
        return Header(chosen, mapping.unique_names(row.cells))
    if chosen != 0:
        raise Unreadable("import_unreadable", f"There is no row {chosen} that could be the header.", chosen)
    return Header(0, mapping.unique_names("" for _ in range(max(len(row.cells) for row in first))))


def _samples(rows: Sequence[Row], index: int) -> list[str]:
    cells = (row.cells[index] if index < len(row.cells) else "" for row in rows[:_SAMPLES])
    return [" ".join(cell[: 2 * _SHOWN].replace("\0", "").split())[:_SHOWN] for cell in cells]


def _remembered(
    hashed: bytes, names: Sequence[str], known: Mapping[str, ContactField], import_id: int
) -> dict[str, str | None] | None:
    """The mapping of the last import with these columns that was carried out, as far as its fields are still there."""
    query = (
        select(ContactImport.mapping)
        .where(ContactImport.header_hash == hashed, ContactImport.run_at.is_not(None), ContactImport.id != import_id)
        .order_by(ContactImport.id.desc())
        .limit(1)
    )
    stored = db.session.scalar(query)
    if not stored:
        return None
    fields = (*mapping.FIELDS, *known)
    return {name: field if (field := stored.get(name)) in fields else None for name in names}


@dataclass(slots=True)
class People:
    """The people of a file, batch by batch; `ignored` counts the footers below the table."""

    rows: Iterator[Row]
    header_line: int
    reader: PersonReader
    ignored: int = 0

    def batches(self) -> Iterator[list[PersonRow]]:
        """The people in the file's order. Raises Unreadable."""
        batch: list[PersonRow] = []
        after_blank, count = False, 0
        for row in self.rows:
            if row.line <= self.header_line:
                continue
            written = sum(1 for cell in row.cells if cell.strip())
            if written == 0:
                after_blank = True
                continue
            person = self.reader.read(formats.without_bom(row))
            if after_blank and written == 1 and not person.identifiers and len(person.issues) == 1:
                self.ignored += 1
                continue
            after_blank, count = False, count + 1
            if count > MAX_ROWS:
                raise Unreadable("too_many_rows", f"A file has at most {MAX_ROWS:,} rows; divide it.", row.line)
            batch.append(person)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def people_of(job: ContactImport, stream: BinaryIO) -> People:
    """The people of an import's file, as it is mapped."""
    region = job.region or settings.get().region
    names = [column["name"] for column in job.columns]
    reader = PersonReader(names, job.mapping, custom_fields.by_key(), region, clock.now())
    layout = Layout(job.format, job.encoding, job.delimiter)
    return People(formats.rows(stream, layout), job.header_row or 0, reader)
