"""The database: one `db`, one column type for instants, and workspace isolation below the services.

Tenant tables carry `workspace_id`. Code runs either in a workspace's scope, in which the session adds that
workspace to every statement, or in the system scope, which is entered by name for what serves all workspaces
(sign-in, intake, delivery). Outside a scope a statement on a tenant table is refused, so that a forgotten
guard shows as an error and not as another workspace's data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.orm import (
    registry as Registry,
)
from sqlalchemy.sql import Select, visitors
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.elements import TextClause

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class TenancyError(RuntimeError):
    """A statement would have touched a workspace other than the one in scope, or none was in scope."""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, stored as `timestamptz`; refuses naive values instead of guessing their zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a zone cannot be stored")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


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


class Tenant:
    """A table whose rows belong to one workspace; the session keeps workspaces apart."""

    workspace_id: Mapped[int] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=False, sort_order=-1
    )


def within_workspace(column: str, table: str, *, ondelete: str = "CASCADE") -> ForeignKeyConstraint:
    """A composite foreign key: `column` may only point to a row of the same workspace.

    The target needs a unique constraint over (workspace_id, id). With `SET NULL` only `column` is cleared.
    """
    clear = f"SET NULL ({column})" if ondelete == "SET NULL" else ondelete
    return ForeignKeyConstraint(["workspace_id", column], [f"{table}.workspace_id", f"{table}.id"], ondelete=clear)


# --- scopes -----------------------------------------------------------------------------------------------

_SYSTEM: Final = "system"
_scope: ContextVar[int | str | None] = ContextVar("workspace_scope", default=None)


@contextmanager
def workspace_scope(workspace_id: int) -> Iterator[None]:
    """Everything inside reads and writes this workspace's rows only."""
    token = _scope.set(int(workspace_id))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def system_scope(why: str) -> Iterator[None]:
    """Everything inside may see all workspaces; `why` says to a reader what needs that."""
    if not why:
        raise ValueError("the system scope is entered with a reason")
    token = _scope.set(_SYSTEM)
    try:
        yield
    finally:
        _scope.reset(token)


def current_workspace_id() -> int | None:
    """The workspace in scope; None in the system scope and outside of any."""
    scope = _scope.get()
    return scope if isinstance(scope, int) else None


class TenantSession(FlaskSession):
    """A session that keeps to the workspace in scope."""

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """Like SQLAlchemy's `get`, but an object of another workspace that is already loaded is not handed out."""
        found = super().get(entity, ident, **options)
        scope = _scope.get()
        if isinstance(found, Tenant) and scope != _SYSTEM and found.workspace_id != scope:
            return None
        return found


db = SQLAlchemy(
    model_class=Base,
    session_options={"class_": TenantSession, "expire_on_commit": False},
    engine_options={
        "pool_pre_ping": True,
        "pool_size": 10,
        "max_overflow": 20,
        "connect_args": {"application_name": "switchboard", "connect_timeout": 5, "options": "-c timezone=UTC"},
    },
)


def _tenant_tables(statement: Any) -> list[str]:
    found = []
    for element in visitors.iterate(statement):
        if isinstance(element, Table) and "workspace_id" in element.c:
            found.append(element.name)
        elif isinstance(element, TextClause) and element is statement:
            found.append("a text statement")
    return found


def _check_insert(statement: Insert, parameters: Any, workspace_id: int) -> None:
    """Refuses a bulk insert into a tenant table that does not name the workspace in scope in every row."""
    if "workspace_id" not in statement.table.c:
        return
    rows: list[Any] = []
    if isinstance(parameters, dict):
        rows = [parameters]
    elif parameters:
        rows = list(parameters)
    values = getattr(statement, "_values", None)
    if values:
        rows = [{getattr(key, "name", key): getattr(value, "value", value) for key, value in values.items()}]
    for many in getattr(statement, "_multi_values", ()):
        rows.extend({getattr(k, "name", k): v for k, v in row.items()} for row in many)
    if not rows or any(row.get("workspace_id") != workspace_id for row in rows):
        raise TenancyError(f"insert into {statement.table.name} outside workspace {workspace_id}")


@event.listens_for(TenantSession, "do_orm_execute")
def _keep_to_workspace(state: ORMExecuteState) -> None:
    scope = _scope.get()
    if scope == _SYSTEM or state.is_column_load or state.is_relationship_load:
        return
    if scope is None:
        tables = _tenant_tables(state.statement)
        if tables:
            raise TenancyError(f"no workspace in scope for {', '.join(sorted(set(tables)))}")
        return
    workspace_id = int(scope)
    if isinstance(state.statement, Insert):
        _check_insert(state.statement, state.parameters, workspace_id)
        return
    if not state.is_orm_statement:
        tables = _tenant_tables(state.statement)
        if tables:
            raise TenancyError(f"a plain statement on {', '.join(sorted(set(tables)))} needs the system scope")
        return
    if isinstance(state.statement, Select) or state.is_update or state.is_delete:
        state.statement = state.statement.options(
            with_loader_criteria(Tenant, lambda cls: cls.workspace_id == workspace_id, include_aliases=True)
        )


@event.listens_for(TenantSession, "before_flush")
def _check_flush(session: TenantSession, _context: Any, _instances: Any) -> None:
    scope = _scope.get()
    if scope == _SYSTEM:
        return
    for item in (*session.new, *session.dirty, *session.deleted):
        if not isinstance(item, Tenant):
            continue
        if scope is None:
            raise TenancyError(f"no workspace in scope for a {type(item).__name__}")
        if item.workspace_id is None and item in session.new:
            item.workspace_id = int(scope)
        if item.workspace_id != scope:
            raise TenancyError(f"a {type(item).__name__} of workspace {item.workspace_id} in the scope of {scope}")


def next_id(table: str) -> int:
    """Takes a row's id before its insert: encrypted columns are bound to it. Costs one short round trip."""
    # Without autoflush: what is pending in the session is not checked against the system scope.
    with db.session.no_autoflush, system_scope("a sequence belongs to no workspace"):
        value: int = db.session.execute(
            text("SELECT nextval(pg_get_serial_sequence(:table, 'id'))"), {"table": table}
        ).scalar_one()
    return value
