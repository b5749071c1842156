"""Lists, a page at a time. A cursor is the last id that was shown, in a form that clients do not build themselves."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.database import db
from backend.core.errors import Invalid, field_error

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_MAX_ID = 2**63 - 1


def page(
    query: Select[Any],
    column: InstrumentedAttribute[int],
    *,
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
    descending: bool = True,
) -> tuple[list[Any], str | None]:
    """Runs `query` ordered by `column`, which has to be unique, and returns (items, the next page's cursor or None).

    A query of one entity gives objects, of several columns rows. What is inserted or deleted meanwhile neither
    repeats nor hides another row. Raises Invalid (`invalid_cursor`) for a cursor that this list did not give out.
    """
    name = f"{column.class_.__tablename__}{'-' if descending else '+'}"
    if cursor is not None:
        last = _decode(name, cursor)
        query = query.where(column < last if descending else column > last)
    limit = max(1, min(limit, MAX_LIMIT))
    # The id is asked for beside whatever the query selects, so that rows and objects page alike.
    paged = query.add_columns(column.label("page_key")).order_by(column.desc() if descending else column.asc())
    rows = db.session.execute(paged.limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    following = encode(name, rows[-1][-1]) if more else None
    single = len(query.column_descriptions) == 1
    return [row[0] if single else row for row in rows], following


def encode(name: str, key: int) -> str:
    """The cursor that continues list `name` after `key`."""
    return base64.urlsafe_b64encode(f"{name}:{key}".encode()).decode("ascii").rstrip("=")


def _decode(name: str, cursor: str) -> int:
    refusal = Invalid(
        "invalid_cursor",
        "The cursor is not one that this list gave out.",
        detail=[field_error("cursor", "invalid_cursor", "Not a cursor of this list.")],
    )
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise refusal from None
    prefix, _, key = text.rpartition(":")
    if prefix != name or not key.isdigit() or len(key) > 19 or int(key) > _MAX_ID:
        raise refusal
    return int(key)
