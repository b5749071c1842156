"""SQLAlchemy: what a statement is made of, as `core.tenancy` has to know it and no public name tells.

Nothing here decides anything; `missing` builds statements and looks whether each name holds what it held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Integer, Select, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.dml import Insert, UpdateBase
from sqlalchemy.sql.util import extract_first_column_annotation

_ENTITY: Final = "parententity"


@dataclass(frozen=True, slots=True)
class JoinedTo:
    """One join of a SELECT: what is joined, from what where it was said, and whether it is a full one."""

    target: Any
    left: Any
    is_full: bool


def cache_key(statement: ClauseElement) -> object | None:
    """What two statements of one shape have in common, whatever their values; None for one without."""
    key = statement._generate_cache_key()
    return None if key is None else key.key


def entity_of(element: Any) -> Any:
    """The mapper or alias that a column or table belongs to; None for a plain one."""
    return element._annotations.get(_ENTITY)


def first_entity_of(column: Any) -> Any:
    """The entity of the first column in an expression after SELECT; None where there is none."""
    return extract_first_column_annotation(column, _ENTITY)


def entities_selected(statement: Select[Any]) -> Iterator[Any]:
    """The columns and entities after SELECT."""
    yield from statement._raw_columns


def from_objects(statement: Select[Any]) -> tuple[Any, ...]:
    """What `select_from` names."""
    return tuple(statement._from_obj)


def joins(statement: Select[Any]) -> Iterator[JoinedTo]:
    """The joins, those of before a change of columns included."""
    listed: list[Any] = list(statement._setup_joins)
    for earlier in statement._memoized_select_entities:
        listed.extend(earlier._setup_joins)
    for target, _on, left, flags in listed:
        yield JoinedTo(target, left, bool(flags["full"]))


def narrowed_by(attribute: Any) -> Any:
    """The subclass that `of_type` narrows a relationship to; None without."""
    return getattr(attribute, "_of_type", None)


def is_orm(statement: Select[Any]) -> bool:
    """Whether the ORM compiles it, and so adds the session's criteria."""
    return bool(statement._propagate_attrs.get("compile_state_plugin") == "orm")


def correlates_except(statement: Select[Any]) -> bool:
    """Whether it says what it does not correlate to."""
    return statement._correlate_except is not None


def correlates_by_itself(statement: Select[Any]) -> bool:
    """Whether it correlates to whatever stands around it."""
    return bool(statement._auto_correlate)


def correlated_to(statement: Select[Any]) -> tuple[Any, ...]:
    """What it was told to correlate to."""
    return tuple(statement._correlate)


def parts_but_froms(statement: Select[Any]) -> Iterable[Any]:
    """Everything below a SELECT but the FROM that follows from its columns, which say where they come from."""
    parts: Iterable[Any] = super(Select, statement).get_children(omit_attrs=("_correlate", "_correlate_except"))
    return parts


def text_around(statement: Any) -> bool:
    """Whether words of its own stand in a statement: prefixes, suffixes, hints."""
    names = ("_prefixes", "_suffixes", "_hints", "_statement_hints")
    return any(getattr(statement, name, None) for name in names)


def values_of(statement: UpdateBase) -> Mapping[Any, Any]:
    """What an INSERT or UPDATE sets."""
    values: Mapping[Any, Any] = getattr(statement, "_values", None) or {}
    return values


def parts_but_values(statement: UpdateBase) -> Iterable[Any]:
    """Everything below a change but what it sets."""
    return statement.get_children(omit_attrs=("_values",))


def rows_of(statement: Insert) -> list[Any]:
    """The rows of an INSERT that were given as a list."""
    return [row for many in statement._multi_values for row in many]


def returned(statement: Insert) -> list[Any]:
    """What an INSERT returns, and the CTEs beside it."""
    return [*statement._returning, *statement._independent_ctes]


def on_conflict(statement: Insert) -> Any:
    """The ON CONFLICT clause; None without."""
    return statement._post_values_clause


class _Base(DeclarativeBase):
    pass


class _Thing(_Base):
    __tablename__ = "compat_things"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    other: Mapped[int] = mapped_column(Integer)


def _probes() -> Iterator[tuple[str, Callable[[], bool]]]:
    """Each name with whether it holds what it did."""
    plain = select(_Thing).where(_Thing.id == 1)
    alias = aliased(_Thing)
    joined = select(_Thing).select_from(alias).join(_Thing, alias.id == _Thing.other, full=True)
    mapper = _Thing.__mapper__
    yield (
        "_generate_cache_key",
        lambda: (
            cache_key(plain) == cache_key(select(_Thing).where(_Thing.id == 2)) != cache_key(select(_Thing))
            and cache_key(select(_Thing.id).correlate(None)) != cache_key(select(_Thing.id))
            and cache_key(select(_Thing.id).correlate_except(alias)) != cache_key(select(_Thing.id))
        ),
    )
    yield (
        "_annotations",
        lambda: entity_of(_Thing.__table__) is None and entity_of(next(entities_selected(plain))) is mapper,
    )
    yield "_from_obj", lambda: len(from_objects(joined)) == 1 and not from_objects(plain)
    yield "_setup_joins", lambda: [join.is_full for join in joins(joined)] == [True]
    yield (
        "_memoized_select_entities",
        lambda: len(list(joins(select(_Thing).join(alias, alias.id == _Thing.id).with_only_columns(_Thing.id)))) == 1,
    )
    yield "_propagate_attrs", lambda: is_orm(plain) and not is_orm(select(_Thing.__table__.c.id))
    yield "_auto_correlate", lambda: correlates_by_itself(plain) and not correlates_by_itself(plain.correlate(alias))
    yield "_correlate", lambda: len(correlated_to(plain.correlate(_Thing.__table__))) == 1
    yield "_correlate_except", lambda: correlates_except(plain.correlate_except(alias)) and not correlates_except(plain)
    yield "get_children", lambda: any(True for _ in parts_but_froms(plain))
    yield "_statement_hints", lambda: text_around(plain.with_statement_hint("x")) and not text_around(plain)
    yield "_hints", lambda: text_around(plain.with_hint(_Thing, "x"))
    yield "_prefixes", lambda: text_around(plain.prefix_with("x")) and text_around(plain.suffix_with("x"))
    yield "_values", lambda: len(values_of(update(_Thing).values(other=1))) == 1
    yield "_multi_values", lambda: len(rows_of(insert(_Thing).values([{"id": 1}, {"id": 2}]))) == 2
    yield "_returning", lambda: len(returned(insert(_Thing).returning(_Thing.id))) == 1
    yield (
        "_post_values_clause",
        lambda: (
            on_conflict(insert(_Thing)) is None
            and on_conflict(postgresql.insert(_Thing).on_conflict_do_nothing()) is not None
        ),
    )


def missing() -> list[str]:
    """The names that this module needs and SQLAlchemy has not, or not as they were."""
    faults = []
    for name, holds in _probes():
        try:
            is_there = holds()
        except (AttributeError, KeyError, TypeError, ValueError):
            is_there = False
        if not is_there:
            faults.append(name)
    return faults
