"""What a statement reads and writes, found before it runs: the session's workspace criterion is no proof by itself.

The ORM adds that criterion to the entities it knows as such: those named in `select()`, `select_from()` and
`join()`. `examine` finds whatever else a statement touches (plain tables, SQL as text, tables that come in by a
mention inside an expression), so that the session adds what is missing or refuses the statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ForeignKey, Join, Lateral, Table, TableClause
from sqlalchemy.dialects.postgresql.dml import OnConflictDoUpdate
from sqlalchemy.dialects.postgresql.ext import DistinctOnClause
from sqlalchemy.orm import Mapped, QueryableAttribute, mapped_column
from sqlalchemy.sql import ClauseElement, Select, visitors
from sqlalchemy.sql.base import ExecutableOption
from sqlalchemy.sql.dml import Insert, Update, UpdateBase
from sqlalchemy.sql.elements import (
    BinaryExpression,
    BindParameter,
    ClauseList,
    ColumnClause,
    ColumnElement,
    ElementList,
    Extract,
    FrameClause,
    GroupedElement,
    OrderByList,
    TextClause,
    TypeClause,
    UnaryExpression,
)
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.selectable import (
    AliasedReturnsRows,
    CompoundSelect,
    ForUpdateArg,
    SelectBase,
    TextualSelect,
    Values,
)

from backend.compat import sqlalchemy as compat

COLUMN: Final = "workspace_id"
_NONE: Final[frozenset[Any]] = frozenset()
_HARMLESS: Final = re.compile(r"\*|\d+")  # count(*), exists(select 1)


class TenancyError(RuntimeError):
    """A statement would have touched a workspace other than the one in scope, or none was in scope."""


class Tenant:
    """A table whose rows belong to one workspace; the session keeps workspaces apart."""

    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=False, sort_order=-1
    )


@dataclass
class Verdict:
    """What `examine` found: tables with a workspace, and what no criterion can reach."""

    tables: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    unnamed: set[Any] = field(default_factory=set)
    """Tables, and aliases of entities, that come into the statement itself by a mention in an expression."""

    def criteria(self, workspace_id: int) -> list[ColumnElement[bool]]:
        """What keeps the `unnamed` to one workspace."""
        return [
            (table.c[COLUMN] if isinstance(table, Table) else table.entity.workspace_id) == workspace_id
            for table in self.unnamed
        ]


def examine(statement: Any) -> Verdict:
    """What a SELECT, UPDATE, DELETE or any other statement but an INSERT touches, subqueries included.

    A statement of a shape that was examined before is not walked again. Do not change what is returned.
    """
    key = compat.cache_key(statement) if isinstance(statement, ClauseElement) else None
    known = _verdicts.get(key) if key is not None else None
    if known is not None:
        return known
    verdict = _examine(statement)
    # An alias is a new object in each statement: a verdict that names one serves no other.
    if key is not None and all(isinstance(source, Table) for source in verdict.unnamed):
        if len(_verdicts) >= MAX_VERDICTS:
            _verdicts.clear()
        _verdicts[key] = verdict
    return verdict


def _examine(statement: Any) -> Verdict:
    walk = _Walk()
    if isinstance(statement, Select):
        walk.verdict.unnamed = walk.select(statement, _NONE)
    elif isinstance(statement, UpdateBase):
        walk.verdict.unnamed = walk.change(statement)
    else:
        walk.expression(statement, _NONE, set())
    return walk.verdict


MAX_VERDICTS: Final = 1000
"""How many shapes of statements are remembered; a process has some hundreds."""
_verdicts: dict[object, Verdict] = {}

_SHAPES: Final = (
    ColumnElement, ClauseList, ElementList, OrderByList, FrameClause, DistinctOnClause, GroupedElement, CompoundSelect,
    Values, ForUpdateArg, TypeClause, ExecutableOption,
)  # fmt: skip
"""What an expression may be made of beside sources and subqueries: no other shape passes."""
_RUNS_SQL: Final = re.compile(
    r"(query|table|cursor|schema|database)_to_xml.*|dblink.*|ts_stat|ts_rewrite|pg_(read|ls|stat)_.*|lo_.*"
)
"""Functions of PostgreSQL that run SQL from a text, or read files."""
_OPERATOR: Final = re.compile(r"[-+*/<>=~!@#%^&|?`]{1,6}")


class _Walk:
    """One examination. A source is a table, or an alias of an entity, that a statement reads from."""

    def __init__(self) -> None:
        self.verdict = Verdict()
        self._seen: set[int] = set()

    def select(self, select: Select[Any], outer: frozenset[Any]) -> set[Any]:
        """Walks one SELECT, which may be correlated to `outer`; returns the sources it does not name."""
        named = self._named(select)
        if compat.text_around(select):
            self._fault("SQL as text")
        within = named.union(_correlated(select, outer) if named or compat.from_objects(select) else _NONE)
        mentioned: set[Any] = set()
        # Without the FROM that follows from columns: those say themselves where they come from.
        for child in compat.parts_but_froms(select):
            self.expression(child, within, mentioned)
        if mentioned and not compat.is_orm(select):
            self._fault("a SELECT that names no entity")
        return mentioned - within

    def change(self, statement: UpdateBase) -> set[Any]:
        """Walks an UPDATE or DELETE; returns the sources beside the table it changes."""
        if compat.text_around(statement):
            self._fault("SQL as text")
        within = frozenset((_source(compat.entity_of(statement.table)),))
        mentioned: set[Any] = set()
        for child in (*compat.parts_but_values(statement), *compat.values_of(statement).values()):
            self.expression(child, within, mentioned)
        return mentioned - within

    def expression(self, element: Any, within: frozenset[Any], mentioned: set[Any]) -> None:
        """Walks anything else, down to the next SELECT: adds the sources it mentions to `mentioned`."""
        stack = [element]
        while stack:
            part = stack.pop()
            if isinstance(part, ColumnClause):
                entity = compat.entity_of(part)
                if entity is not None:
                    stack.extend(self._mention(entity, mentioned))
                elif part.is_literal:
                    if not _HARMLESS.fullmatch(part.name):
                        self._fault("SQL as text")
                elif part.table is not None:
                    stack.append(part.table)
            elif isinstance(part, Select):
                for source in self.select(part, within):
                    self._fault(f"{source.name} in a subquery that does not select, join or select_from it")
            elif isinstance(part, Table):
                self._table(part, mentioned)
            elif isinstance(part, AliasedReturnsRows):
                self._alias(part, within, mentioned)
            elif isinstance(part, TextClause | TextualSelect | TableClause):
                self._fault("SQL as text")
            elif isinstance(part, UpdateBase):
                self._fault("a change inside of another statement")
            elif isinstance(part, Join):
                self._fault("a join that is not made by select().join()")
                stack.extend(part.get_children())
            elif isinstance(part, _SHAPES) or not isinstance(part, ClauseElement):
                self._check_words(part)
                stack.extend(part.get_children())
            else:
                self._fault(f"a {type(part).__name__}")

    def _check_words(self, part: Any) -> None:
        """Refuses what brings words of its own into the SQL: functions that run them, operators, fields, hints."""
        if isinstance(part, FunctionElement) and _RUNS_SQL.fullmatch(getattr(part, "name", "").lower()):
            self._fault(f"the function {part.name}, which runs SQL or reads what is no table")
        elif isinstance(part, BinaryExpression | UnaryExpression):
            for operator in (part.operator, part.modifier) if isinstance(part, UnaryExpression) else (part.operator,):
                if isinstance(operator, custom_op) and not _OPERATOR.fullmatch(operator.opstring.strip()):
                    self._fault(f"the operator {operator.opstring}")
        elif (isinstance(part, Extract) and not part.field.isidentifier()) or (
            isinstance(part, CompoundSelect) and compat.text_around(part)
        ):
            self._fault("SQL as text")

    def _named(self, select: Select[Any]) -> frozenset[Any]:
        """The sources to which the ORM adds the session's criterion: the entities a SELECT names as such."""
        entities = {compat.first_entity_of(column) for column in compat.entities_selected(select)}
        entities.update(compat.entity_of(source) for source in compat.from_objects(select))
        for join in compat.joins(select):
            if join.is_full:
                self._fault("a full join, which keeps the rows that its condition leaves out")
            if isinstance(join.target, QueryableAttribute):
                entities.add(compat.narrowed_by(join.target) or join.target.property.entity)
            else:
                entities.add(compat.entity_of(join.target))
            if join.left is not None:
                entities.add(compat.entity_of(join.left))
        return frozenset(_source(entity) for entity in entities if entity is not None)

    def _mention(self, entity: Any, mentioned: set[Any]) -> list[Any]:
        """Notes an entity; returns what an alias stands for where that has to be walked as well."""
        mapper = entity.mapper
        if issubclass(mapper.class_, Tenant):
            mentioned.add(_source(entity))
        if COLUMN in mapper.local_table.c:
            self.verdict.tables.add(mapper.local_table.name)
        if entity is mapper or id(entity) in self._seen:
            return []
        self._seen.add(id(entity))
        stands_for = entity.selectable
        plain = isinstance(stands_for, AliasedReturnsRows) and isinstance(stands_for.element, Table)
        return [] if plain else [stands_for]

    def _table(self, table: Table, mentioned: set[Any]) -> None:
        entity = compat.entity_of(table)
        if entity is not None:
            self._mention(entity, mentioned)
        elif COLUMN in table.c:
            self.verdict.tables.add(table.name)
            mentioned.add(table)

    def _alias(self, alias: AliasedReturnsRows, within: frozenset[Any], mentioned: set[Any]) -> None:
        """Walks an alias of a table, a subquery or a CTE: only LATERAL sees what stands around it."""
        entity = compat.entity_of(alias)
        if entity is not None:
            self._mention(entity, mentioned)
        if isinstance(alias.element, Table):
            if entity is None and COLUMN in alias.element.c:
                self.verdict.tables.add(alias.element.name)
                self._fault(f"an alias of the plain table {alias.element.name}")
            return
        # By identity, kept alive by the statement: a recursive CTE contains itself.
        if id(alias) in self._seen:
            return
        self._seen.add(id(alias))
        for child in alias.get_children():
            self.expression(child, within if isinstance(alias, Lateral) else _NONE, mentioned)

    def _fault(self, what: str) -> None:
        self.verdict.faults.append(what)


def _source(entity: Any) -> Any:
    """A mapper and its table are one source in FROM; each alias is its own."""
    return entity.local_table if entity is not None and entity.is_mapper else entity


def _correlated(select: Select[Any], outer: frozenset[Any]) -> frozenset[Any]:
    """Which sources of the enclosing statement stay its own when a subquery mentions them."""
    if compat.correlates_except(select):
        return _NONE
    if compat.correlates_by_itself(select):
        return outer
    return outer.intersection(_source(compat.entity_of(source)) for source in compat.correlated_to(select))


# --- changes ----------------------------------------------------------------------------------------------


def insert_reads(statement: Insert, parameters: Any) -> bool:
    """Whether an INSERT takes anything from a query: no criterion is added inside of one."""
    values = [*compat.values_of(statement).values(), *compat.returned(statement)]
    changed = compat.on_conflict(statement)
    if isinstance(changed, OnConflictDoUpdate):
        values.extend((*dict(changed.update_values_to_set).values(), changed.update_whereclause))
    for row in (*compat.rows_of(statement), *_rows(parameters)):
        values.extend(row.values())
    return statement.select is not None or any(isinstance(value, ClauseElement) and reads(value) for value in values)


def check_insert(statement: Insert, parameters: Any, workspace_id: int) -> None:
    """Refuses an INSERT that reads from tables, or that does not name this workspace in every row."""
    table = statement.table
    if insert_reads(statement, parameters):
        raise TenancyError(f"an insert into {table.name} that reads from tables needs the system scope")
    if COLUMN not in table.c:
        return
    for row in compat.rows_of(statement) or [compat.values_of(statement)]:
        for extra in _rows(parameters) or [{}]:
            named = [*_workspaces(row, extra), *_workspaces(extra, extra)]
            if not named or any(value != workspace_id for value in named):
                raise TenancyError(f"insert into {table.name} outside workspace {workspace_id}")
    changed = compat.on_conflict(statement)
    if isinstance(changed, OnConflictDoUpdate):
        if COLUMN not in {getattr(value, "name", value) for value in changed.inferred_target_elements or ()}:
            raise TenancyError(f"ON CONFLICT on {table.name} could meet a row of another workspace")
        if list(_workspaces(dict(changed.update_values_to_set), {})):
            raise TenancyError(f"ON CONFLICT on {table.name} moves a row between workspaces")


def check_change(statement: UpdateBase, parameters: Any, options: Mapping[str, Any], workspace_id: int) -> None:
    """Refuses an UPDATE or DELETE by many sets of parameters (it goes by key alone) and one that moves rows."""
    name = getattr(statement.table, "name", "a join")
    if isinstance(parameters, list | tuple) or options.get("dml_strategy", "auto") not in ("auto", "orm"):
        raise TenancyError(f"a change of {name} by its keys needs the system scope")
    if isinstance(statement, Update):
        rows = _rows(parameters)
        extra = rows[0] if rows else {}
        named = [*_workspaces(compat.values_of(statement), extra), *_workspaces(extra, extra)]
        if any(workspace != workspace_id for workspace in named):
            raise TenancyError(f"a row of {name} stays in its workspace")


def reads(value: ClauseElement) -> bool:
    """Whether an expression holds a subquery, another statement or SQL as text."""
    return any(
        isinstance(part, SelectBase | UpdateBase | TextClause)
        or (isinstance(part, ColumnClause) and part.is_literal and not _HARMLESS.fullmatch(part.name))
        for part in visitors.iterate(value)
    )


def _rows(parameters: Any) -> list[Mapping[str, Any]]:
    if not parameters:
        return []
    return [parameters] if isinstance(parameters, Mapping) else list(parameters)


def _workspaces(values: Mapping[Any, Any], parameters: Mapping[str, Any]) -> Iterable[object]:
    """What values name as the workspace; an expression is none."""
    for key, value in values.items():
        if getattr(key, "key", key) != COLUMN:
            continue
        if isinstance(value, BindParameter):
            value = parameters.get(value.key, value.value)
        yield value if isinstance(value, int) else None
