"""Pages of rows by a moment and an id, the newest first. A cursor is the last place that was shown."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, cast, literal, tuple_

from backend.core.database import UtcDateTime, db
from backend.core.errors import Invalid, field_error
from backend.services.paging import MAX_LIMIT

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_KEY: Final = re.compile(r"(-?\d{1,17}):(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended, or begins."""

    at: datetime
    id: int

    def encode(self, name: str) -> str:
        """As a cursor of the list of this name."""
        micros = (self.at - _EPOCH) // _MICROSECOND
        return base64.urlsafe_b64encode(f"{name}:{micros}:{self.id}".encode()).decode("ascii").rstrip("=")

    @classmethod
    def decode(cls, name: str, cursor: str) -> Place:
        """The place of a cursor. Raises Invalid (`invalid_cursor`) for one that this list did not give out."""
        try:
            read = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
            known, _, key = read.partition(":")
            match = _KEY.fullmatch(key)
            if known != name or match is None:
                raise ValueError(cursor)
            return cls(_EPOCH + int(match[1]) * _MICROSECOND, int(match[2]))
        except (binascii.Error, ValueError, OverflowError):
            message = "The cursor is not one that this list gave out."
            detail = [field_error("cursor", "invalid_cursor", "Not a cursor of this list.")]
            raise Invalid("invalid_cursor", message, detail=detail) from None

    def before(self, at: Any, key: Any) -> ColumnElement[bool]:
        """The rows that come after this place, where the newest is first."""
        earlier: ColumnElement[bool] = tuple_(at, key) < self._row()
        return earlier

    def after(self, at: Any, key: Any) -> ColumnElement[bool]:
        """The rows that are newer than this place."""
        later: ColumnElement[bool] = tuple_(at, key) > self._row()
        return later

    def _row(self) -> Any:
        return tuple_(literal(self.at, UtcDateTime), cast(self.id, BigInteger))


def page(
    query: Select[Any], name: str, at: Any, key: Any, *, cursor: str | None, limit: int
) -> tuple[list[Any], str | None]:
    """Runs `query` (of one entity, or of columns) newest first and returns (rows, the next page's cursor or None).

    Raises Invalid (`invalid_cursor`).
    """
    if cursor is not None:
        query = query.where(Place.decode(name, cursor).before(at, key))
    limit = max(1, min(limit, MAX_LIMIT))
    query = query.add_columns(at.label("page_at"), key.label("page_key")).order_by(at.desc(), key.desc())
    rows = db.session.execute(query.limit(limit + 1)).all()
    following = Place(rows[limit - 1].page_at, rows[limit - 1].page_key).encode(name) if len(rows) > limit else None
    return list(rows[:limit]), following
