"""Cursors that describe a result's columns only to whoever asks.

SQLAlchemy asks each cursor for its description, and for a statement that it has run before only looks whether there is
one. Making it costs more than reading a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, overload

import psycopg
from psycopg.rows import Row


class Cursor(psycopg.Cursor[Row]):
    """A cursor whose `description` is made when it is looked into; that of the result that is there when asked."""

    @property
    def description(self) -> Any:
        """The columns of the current result; None where it has none."""
        result = self.pgresult
        return super().description if result is None or not result.nfields else _Columns(self, result)

    def described(self) -> list[psycopg.Column]:
        """The columns themselves."""
        return super().description or []


class _Columns(Sequence[psycopg.Column]):
    def __init__(self, cursor: Cursor[Any], result: Any) -> None:
        self._cursor = cursor
        self._result = result

    @cached_property
    def _columns(self) -> list[psycopg.Column]:
        if self._cursor.pgresult is not self._result:
            raise psycopg.InterfaceError("the result that is described is not there any more")
        return self._cursor.described()

    @overload
    def __getitem__(self, place: int) -> psycopg.Column: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[psycopg.Column]: ...
    def __getitem__(self, place: int | slice) -> psycopg.Column | Sequence[psycopg.Column]:
        return self._columns[place]

    def __len__(self) -> int:
        return int(self._result.nfields)
