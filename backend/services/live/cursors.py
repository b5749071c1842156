"""Cursors: which transactions a client has heard of, as a PostgreSQL snapshot.

Ids are given out before their transactions commit, so "everything after id 7" misses what commits late. A snapshot says
exactly which transactions had committed when it was taken; what is new are the rows of all the others.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MAX_CHARACTERS: Final = 4096
_MAX_RUNNING: Final = 1000
_MAX_XID: Final = 2**63 - 1
_VERSION: Final = "1."
_TEXT: Final = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)")


class BadCursor(ValueError):
    """Not one of our cursors."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every transaction below `xmax` that is not among `running` had ended."""

    xmax: int
    running: tuple[int, ...] = ()
    """Ascending."""

    @property
    def xmin(self) -> int:
        """The lowest transaction that may not have ended."""
        return self.running[0] if self.running else self.xmax

    def includes(self, xid: int) -> bool:
        """Whether this transaction had ended."""
        return xid < self.xmax and xid not in self.running

    def includes_all_of(self, earlier: Snapshot) -> bool:
        """Whether everything that had ended in `earlier` had ended here too."""
        return self.xmax >= earlier.xmax and not any(earlier.includes(xid) for xid in self.running)

    def sql(self) -> str:
        """As PostgreSQL writes a `pg_snapshot`."""
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.running))}"


def from_sql(text: str) -> Snapshot:
    """Reads what PostgreSQL wrote. Raises BadCursor."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise BadCursor("not a snapshot")
    running = tuple(int(number) for number in match[3].split(",")) if match[3] else ()
    snapshot = _checked(int(match[2]), running)
    if not 0 < int(match[1]) <= snapshot.xmin:
        raise BadCursor("not a snapshot")
    return snapshot


def encode(snapshot: Snapshot) -> str:
    """The snapshot as an event id: url-safe, and short also where much is running."""
    numbers = [snapshot.xmax, len(snapshot.running)]
    previous = snapshot.xmax
    for xid in reversed(snapshot.running):
        numbers.append(previous - xid)
        previous = xid
    packed = b"".join(_varint(number) for number in numbers)
    return _VERSION + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(cursor: str) -> Snapshot:
    """Reads an event id, strictly: only what `encode` can have written. Raises BadCursor.

    A made-up cursor is harmless: it chooses among the events that the caller may hear anyway.
    """
    if not cursor.startswith(_VERSION) or len(cursor) > MAX_CHARACTERS or not cursor.isascii():
        raise BadCursor("not a cursor")
    body = cursor[len(_VERSION) :]
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor("not a cursor") from None
    numbers = list(_numbers(packed))
    if len(numbers) < 2 or numbers[1] != len(numbers) - 2:
        raise BadCursor("not a cursor")
    running: list[int] = []
    previous = numbers[0]
    for step in numbers[2:]:
        previous -= step
        running.append(previous)
    snapshot = _checked(numbers[0], tuple(reversed(running)))
    if encode(snapshot) != cursor:
        raise BadCursor("not a cursor")
    return snapshot


def _checked(xmax: int, running: tuple[int, ...]) -> Snapshot:
    ascending = all(low < high for low, high in pairwise((*running, xmax)))
    if not 0 < xmax <= _MAX_XID or len(running) > _MAX_RUNNING or not ascending or (running and running[0] <= 0):
        raise BadCursor("not a snapshot")
    return Snapshot(xmax, running)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _numbers(packed: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise BadCursor("not a cursor")
        if not byte & 0x80:
            yield number
            number = shift = 0
    if shift:
        raise BadCursor("not a cursor")
