"""A row of a file as a person: values, identifiers, tags, consent, and what is wrong with which cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from backend.models import ContactField
from backend.services.contacts import custom_fields, dates, identifiers, phones, records, settings, tags
from backend.services.contacts.faults import ValueFault
from backend.services.contacts.identifiers import Identifier
from backend.services.contacts.imports import full_names, mapping, synonyms
from backend.services.contacts.imports.text_rows import Row

_SEPARATORS: Final = re.compile(r"\s*:::\s*|[;\n\r|]")
_WITH_COMMA: Final = re.compile(r"\s*:::\s*|[;,\n\r|]")
_SCIENTIFIC: Final = re.compile(r"'?\+?\d(?:[.,]\d+)?[eE]\+?\d{1,2}")
_SYSTEM_LABEL: Final = "* "
"""Google marks groups of its own so; `* Work` beside a number is a preferred one."""
_SHOWN: Final = 80
MAX_TAGS: Final = 50
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_REFUSED: Final = frozenset(
    [
        "unsubscribed", "optedout", "optout", "donotcontact", "bounced", "refused", "거부", "수신거부", "abgemeldet",
        "désabonné", "desabonne", "baja", "отписан", "停止", "拒否", "退订",
    ]
)  # fmt: skip
_ALLOWED: Final = frozenset(
    ["subscribed", "optedin", "optin", "allowed", "ok", "active", "동의", "수신동의", "수신", "none"]
)


@dataclass(frozen=True, slots=True)
class Issue:
    """What is wrong with a cell. `value` is the beginning of what it holds; a warning is no reason to leave it out."""

    line: int
    column: str | None
    code: str
    value: str
    hint: str
    is_error: bool = True


@dataclass(slots=True)
class PersonRow:
    """What a row says of a person."""

    line: int
    values: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    identifiers: list[Identifier] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    consent_at: datetime | None = None
    consent_source: str | None = None
    do_not_contact: bool = False
    issues: list[Issue] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Column:
    index: int
    name: str
    field: str


class PersonReader:
    """Reads rows by a mapping of columns to fields."""

    def __init__(
        self,
        names: Sequence[str],
        chosen: Mapping[str, str | None],
        known: Mapping[str, ContactField],
        region: str | None,
        now: datetime,
    ) -> None:
        """`names` in the file's order; `region` for rows without one; a consent later than `now` is none."""
        columns = [
            _Column(index, name, target) for index, name in enumerate(names) if (target := chosen.get(name)) is not None
        ]
        # The best phone first: it becomes the primary one. The region before what is read by it.
        columns.sort(key=lambda column: (column.field != "region", _order(column)))
        self._columns = columns
        self._known = known
        self._region = region
        self._now = now
        self._width = len(names)
        self._readers: dict[str, Callable[[PersonRow, _Column, str], None]] = {
            "region": self._read_region,
            "timezone": self._read_timezone,
            "locale": self._read_locale,
            "tags": self._read_tags,
            "consent_at": self._read_consent_date,
            "consent_source": self._read_consent_source,
            "do_not_contact": self._read_do_not_contact,
        }

    def read(self, row: Row) -> PersonRow:
        """The person of a row. Without any identifier it has the error no_point."""
        person = PersonRow(row.line)
        for column in self._columns:
            cell = row.cells[column.index].strip() if column.index < len(row.cells) else ""
            if cell:
                self._read_cell(person, column, cell)
        full_name = person.values.pop("full_name", None)
        if full_name is not None and not {"first_name", "last_name"} & person.values.keys():
            first, last = full_names.split(full_name)
            person.values |= {key: name for key, name in (("first_name", first), ("last_name", last)) if name}
        if len(row.cells) > self._width and any(map(str.strip, row.cells[self._width :])):
            hint = "The row has more cells than the header: perhaps a quotation mark is missing before it."
            person.issues.append(Issue(row.line, None, "extra_cells", "", hint, is_error=False))
        if any("\ufffd" in cell for cell in row.cells):
            hint = "Some characters cannot be read; choose another encoding."
            person.issues.append(Issue(row.line, None, "undecodable", "", hint, is_error=False))
        if (person.consent_at is None) != (person.consent_source is None):
            hint = "A consent needs both a date and a source; none was recorded."
            person.issues.append(Issue(row.line, None, "consent_incomplete", "", hint, is_error=False))
        if not person.identifiers:
            hint = "Nothing in this row identifies a person: no phone, e-mail address or Telegram name."
            person.issues.append(Issue(row.line, None, "no_point", "", hint))
        return person

    def _read_cell(self, person: PersonRow, column: _Column, cell: str) -> None:
        try:
            if column.field in mapping.IDENTIFYING:
                self._read_identifiers(person, column, cell)
            elif (reader := self._readers.get(column.field)) is not None:
                reader(person, column, cell)
            elif column.field in self._known:
                person.fields[column.field] = custom_fields.typed(self._known[column.field], _readable(cell))
            else:
                self._read_text(person, column, cell)
        except ValueFault as fault:
            _note(person, column, cell, fault)

    def _read_text(self, person: PersonRow, column: _Column, cell: str) -> None:
        text = records.clean(_readable(" ".join(cell.split())))
        if text is not None and len(text) > records.MAX_TEXT:
            raise ValueFault("too_long", f"At most {records.MAX_TEXT} characters fit.")
        if text is not None:
            person.values[column.field] = text

    def _read_identifiers(self, person: PersonRow, column: _Column, cell: str) -> None:
        region = person.values.get("region") or self._region
        for part in _parts(cell):
            if column.field == "telegram_username" and "://" in part and "t.me" not in part.lower():
                continue  # a web site in a column that also holds Telegram's links
            try:
                identifier = identifiers.of_field(column.field, part, region)
            except ValueFault as fault:
                _note(person, column, part, fault)
                continue
            if identifier not in person.identifiers:
                person.identifiers.append(identifier)
                if identifier.validity == "possible":
                    hint = "The number has the right length, but its range is not assigned."
                    shown = _shown(part)
                    person.issues.append(Issue(person.line, column.name, "phone_possible", shown, hint, is_error=False))

    def _read_region(self, person: PersonRow, _column: _Column, cell: str) -> None:
        code = cell.upper()
        if not phones.is_region(code):
            raise ValueFault("bad_value", "A region has two letters, such as KR.")
        person.values["region"] = code

    def _read_timezone(self, person: PersonRow, _column: _Column, cell: str) -> None:
        if not settings.is_timezone(cell):
            raise ValueFault("bad_value", "A time zone is written like Asia/Seoul.")
        person.values["timezone"] = cell

    def _read_locale(self, person: PersonRow, _column: _Column, cell: str) -> None:
        if not _LOCALE.fullmatch(cell) or len(cell) > 20:
            raise ValueFault("bad_value", "A language is written like ko or pt-BR.")
        person.values["locale"] = cell

    def _read_tags(self, person: PersonRow, column: _Column, cell: str) -> None:
        for part in _WITH_COMMA.split(cell):
            if part.strip().startswith(_SYSTEM_LABEL):
                continue
            name = tags.clean(part)
            if len(name) > tags.MAX_LENGTH or len(person.tags) >= MAX_TAGS:
                hint = f"A tag has at most {tags.MAX_LENGTH} characters, a row at most {MAX_TAGS} tags."
                _note(person, column, part, ValueFault("too_long", hint))
            elif name:
                person.tags.append(name)

    def _read_consent_date(self, person: PersonRow, _column: _Column, cell: str) -> None:
        moment = dates.parse(cell)
        if moment > self._now:
            raise ValueFault("bad_date", "A consent was obtained in the past.")
        person.consent_at = moment

    def _read_consent_source(self, person: PersonRow, _column: _Column, cell: str) -> None:
        person.consent_source = records.clean(cell[:500])

    def _read_do_not_contact(self, person: PersonRow, column: _Column, cell: str) -> None:
        word = "".join(char for char in cell.casefold() if char.isalnum())
        try:
            refuses = word in _REFUSED or (word not in _ALLOWED and custom_fields.boolean(cell))
        except ValueFault:
            # A date, a reason: whoever wrote something there meant that the person does not want it.
            refuses = True
            hint = "This is neither yes nor no; the person is suppressed to be on the safe side."
            issue = Issue(person.line, column.name, "unclear_do_not_contact", _shown(cell), hint, is_error=False)
            person.issues.append(issue)
        person.do_not_contact = person.do_not_contact or refuses


def _order(column: _Column) -> tuple[int, int]:
    return (synonyms.phone_order(column.name) if column.field == "phone" else 0, column.index)


def _parts(cell: str) -> Iterator[str]:
    """The values of a cell that may hold several. A comma in a shortened number parts nothing."""
    for piece in _SEPARATORS.split(cell):
        for part in [piece] if _SCIENTIFIC.fullmatch(piece.strip()) else piece.split(","):
            if part.strip():
                yield part.strip()


def _readable(text: str) -> str:
    """The text in one form, without the apostrophe that keeps spreadsheets from calculating."""
    normal = unicodedata.normalize("NFC", text)
    return normal[1:] if normal.startswith("'") and normal[1:2] in ("=", "+", "-", "@", "'") else normal


def _note(person: PersonRow, column: _Column, cell: str, fault: ValueFault) -> None:
    person.issues.append(Issue(person.line, column.name, fault.code, _shown(cell), fault.hint))


def _shown(cell: str) -> str:
    return " ".join(cell[: _SHOWN * 2].replace("\0", "").split())[:_SHOWN]
