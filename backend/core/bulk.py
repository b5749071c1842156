"""Many rows in one statement, past the ORM: the rows travel as one JSON value that PostgreSQL takes apart.

For transactions that settle a batch. Needs the system scope, since SQL as text names no workspace: each row says its
own. Live events are not noted by themselves (`services.live.note_many`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Table, TextClause, text
from sqlalchemy.dialects import postgresql

from backend.core.database import Base, db

Row = Mapping[str, Any]
_DIALECT = postgresql.dialect()


def insert_many(model: type[Base], rows: Sequence[Row], *, or_nothing: bool = False) -> None:
    """Inserts rows that all have the same columns, in their order; `or_nothing` passes over those that exist."""
    if rows:
        db.session.execute(_insert(_table(model), tuple(rows[0]), or_nothing), {"rows": _encoded(rows)})


def update_many(model: type[Base], rows: Sequence[Row]) -> None:
    """Updates rows found by their `id`, all with the same columns; None leaves a column as it is."""
    if rows:
        db.session.execute(_update(_table(model), tuple(rows[0])), {"rows": _encoded(rows)})


def reserve_ids(model: type[Base], count: int) -> list[int]:
    """Takes ids from a table's sequence before the rows are inserted, in ascending order."""
    if count == 0:
        return []
    values = {"table": _table(model).name, "count": count}
    return sorted(db.session.execute(_RESERVE, values).scalars())


_RESERVE = text(
    "SELECT nextval(s.name) FROM (SELECT pg_get_serial_sequence(:table, 'id') AS name) s, generate_series(1, :count)"
)


def _table(model: type[Base]) -> Table:
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is no table")
    return table


@cache
def _insert(table: Table, columns: tuple[str, ...], or_nothing: bool) -> TextClause:
    names = ", ".join(columns)
    ending = " ON CONFLICT DO NOTHING" if or_nothing else ""
    return text(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {_source(table, columns)}{ending}")  # noqa: S608


@cache
def _update(table: Table, columns: tuple[str, ...]) -> TextClause:
    changes = ", ".join(f"{name} = coalesce(r.{name}, t.{name})" for name in columns if name != "id")
    return text(f"UPDATE {table.name} t SET {changes} FROM {_source(table, columns)} WHERE t.id = r.id")  # noqa: S608


def _source(table: Table, columns: tuple[str, ...]) -> str:
    types = ", ".join(f"{name} {table.c[name].type.compile(_DIALECT)}" for name in columns)
    return f"json_to_recordset(CAST(:rows AS json)) AS r({types})"


def _encoded(rows: Sequence[Row]) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    """What JSON has no type for, as PostgreSQL reads it. Raises TypeError."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone cannot be stored")
        return value.isoformat()
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    raise TypeError(f"a {type(value).__name__} is no column's value")
