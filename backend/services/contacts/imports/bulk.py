"""Many rows in one statement: written by COPY, found by one array."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from psycopg import sql
from psycopg.errors import UniqueViolation
from sqlalchemy import ColumnElement, LargeBinary, any_, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.database import db, system_scope

_WHY: Final = "COPY knows no workspace: each row names its own"


class Overtaken(Exception):
    """Somebody stored one of the rows meanwhile. The transaction is lost."""


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Inserts rows, each naming its workspace. JSON comes as `Jsonb`. Raises Overtaken for a taken unique key."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with system_scope(_WHY):
        connection = db.session.connection().connection.driver_connection
        assert connection is not None, "a session in a transaction has a connection"
        try:
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except UniqueViolation:
            raise Overtaken from None


def among_hashes(column: InstrumentedAttribute[bytes], hashes: Collection[bytes]) -> ColumnElement[bool]:
    """Whether a column holds one of many hashes."""
    return column == any_(bindparam(None, list(hashes), type_=ARRAY(LargeBinary)))
