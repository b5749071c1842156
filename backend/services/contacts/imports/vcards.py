"""Rows of a file of vCards (2.1, 3.0, 4.0): one a card, under fixed column names, without pictures and notes."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from backend.services.contacts.imports.faults import Unreadable
from backend.services.contacts.imports.text_rows import Row, physical_lines

COLUMNS: Final = ("First name", "Last name", "Company", "Title", "Phone", "E-mail", "Telegram", "Tags")
SEPARATOR: Final = " ::: "
_MAX_VALUE: Final = 64 * 1024
_USED: Final = frozenset(
    {"N", "FN", "ORG", "TITLE", "TEL", "EMAIL", "IMPP", "X-SOCIALPROFILE", "X-TELEGRAM", "CATEGORIES"}
)
_PROPERTY: Final = re.compile(
    r'(?:[\w-]+\.)?(?P<name>[\w-]+)(?P<parameters>(?:;[^:"]*(?:"[^"]*"[^:"]*)*)?):(?P<value>.*)', re.S
)
_ESCAPE: Final = re.compile(r"\\(.)", re.S)
_NEVER: Final = ("FAX", "PAGER")


@dataclass
class _Card:
    line: int
    names: tuple[str, str] | None = None
    full_name: str = ""
    company: str = ""
    title: str = ""
    phones: list[tuple[int, str]] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    telegram: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def row(self) -> Row:
        first, last = self.names if self.names and any(self.names) else (self.full_name, "")
        numbers = [number for _, number in sorted(self.phones, key=lambda phone: phone[0])]
        lists = (numbers, self.emails, self.telegram, self.tags)
        return Row(self.line, [first, last, self.company, self.title, *(SEPARATOR.join(values) for values in lists)])


def read(stream: BinaryIO, encoding: str) -> Iterator[Row]:
    """The column names as row 0, then a row for each card, at the line on which it begins. Raises Unreadable."""
    yield Row(0, list(COLUMNS))
    card: _Card | None = None
    for line, content in _unfolded(stream, encoding):
        name, parameters, value = _split(content)
        if name == "BEGIN" and value.strip().upper() == "VCARD":
            card = _Card(line)
        elif name == "END" and card is not None:
            yield card.row()
            card = None
        elif card is not None and name in _USED:
            _add(card, name, parameters, value)
    if card is not None:
        raise Unreadable("import_unreadable", "The file ends inside of a card.", card.line)


def _unfolded(stream: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    """Whole properties with the line on which they begin; of one that is longer than any name only the beginning."""
    begun, content = 0, ""
    for number, line in physical_lines(stream, encoding):
        stripped = line.rstrip("\r\n")
        soft = content.endswith("=") and "QUOTED-PRINTABLE" in content.partition(":")[0].upper()
        if soft:
            content = content[:-1] + stripped.lstrip(" \t")
        elif stripped[:1] in (" ", "\t") and content:
            if len(content) < _MAX_VALUE:
                content += stripped[1:]
        else:
            if content.strip():
                yield begun, content
            begun, content = number, stripped
        content = content[: _MAX_VALUE + 1]
    if content.strip():
        yield begun, content


def _split(content: str) -> tuple[str, str, str]:
    match = _PROPERTY.fullmatch(content)
    if match is None:
        return "", "", ""
    parameters, value = match["parameters"].upper(), match["value"]
    if "QUOTED-PRINTABLE" in parameters:
        charset = re.search(r"CHARSET=([\w-]+)", parameters)
        raw = quopri.decodestring(value.encode("utf-8", "replace"))
        try:
            value = raw.decode(charset[1] if charset else "utf-8", "replace")
        except LookupError:
            value = raw.decode("utf-8", "replace")
    return match["name"].upper(), parameters, value


def _add(card: _Card, name: str, parameters: str, value: str) -> None:
    if name == "N":
        parts = [*_parts(value, ";"), "", ""]
        card.names = (parts[1], parts[0])
    elif name == "FN":
        card.full_name = _plain(value)
    elif name == "ORG":
        card.company = next(iter(_parts(value, ";")), "")
    elif name == "TITLE":
        card.title = _plain(value)
    elif name == "TEL":
        if not any(kind in parameters for kind in _NEVER):
            card.phones.append((_order(parameters), _plain(value)))
    elif name == "EMAIL":
        card.emails.append(_plain(value))
    elif name == "CATEGORIES":
        card.tags += filter(None, _parts(value, ","))
    else:
        _add_profile(card, name, parameters, _plain(value))


def _add_profile(card: _Card, name: str, parameters: str, value: str) -> None:
    """A Telegram name as Apple (`X-SOCIALPROFILE;type=telegram:x-apple:ada`) and others (`IMPP:tg:ada`) write it."""
    if name == "X-TELEGRAM":
        card.telegram.append(value)
    elif name == "IMPP" and value.lower().startswith(("tg:", "telegram:")):
        card.telegram.append(value.partition(":")[2])
    elif "TELEGRAM" in parameters or "t.me/" in value:
        card.telegram.append(value.removeprefix("x-apple:"))


def _order(parameters: str) -> int:
    """Mobiles before preferred ones, those before work, home and others."""
    for order, kinds in enumerate((("CELL", "MOBILE", "IPHONE"), ("PREF",), ("WORK",), ("HOME",))):
        if any(kind in parameters for kind in kinds):
            return order
    return 4


def _parts(value: str, mark: str) -> list[str]:
    return [_plain(part) for part in re.split(rf"(?<!\\){mark}", value)]


def _plain(value: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value).strip()
