"""What all tables have in common: names of constraints, column types by annotation, keys, instants."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Identity,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    any_,
    bindparam,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column
from sqlalchemy.orm import registry as Registry

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, stored as `timestamptz`; refuses naive values instead of guessing their zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a zone cannot be stored")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return _in_utc(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """What reads a value: without the calls that a decorated type has around it, for each moment of each row."""
        return _in_utc


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def read_json(value: bytes | str) -> Any:
    """A JSON column's value, by a parser that is several times faster than Python's own; that one reads what this does
    not, such as very deep values."""
    try:
        return from_json(value)
    except ValueError:
        return json.loads(value)


class Base(DeclarativeBase):
    """Base of all models: column types by annotation, names of constraints by convention."""

    # On a registry and not as class attributes: Flask-SQLAlchemy derives from this class and may not repeat them.
    registry = Registry(
        metadata=MetaData(naming_convention=NAMING),
        type_annotation_map={
            int: BigInteger,
            str: Text,
            bytes: LargeBinary,
            datetime: UtcDateTime,
            dict[str, Any]: JSONB,
            list[Any]: JSONB,
        },
    )


class HasId:
    """A bigint key from PostgreSQL."""

    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True, sort_order=-2)


def within_workspace(column: str, table: str, *, ondelete: str = "CASCADE") -> ForeignKeyConstraint:
    """A composite foreign key: `column` may only point to a row of the same workspace.

    The target needs a unique constraint over (workspace_id, id). With `SET NULL` only `column` is cleared.
    """
    clear = f"SET NULL ({column})" if ondelete == "SET NULL" else ondelete
    return ForeignKeyConstraint(["workspace_id", column], [f"{table}.workspace_id", f"{table}.id"], ondelete=clear)


def among_ids(column: InstrumentedAttribute[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Whether a column holds one of many ids, which go as one value: a list of single ones takes long to write down."""
    return column == any_(bindparam(None, list(ids), type_=ARRAY(BigInteger)))
