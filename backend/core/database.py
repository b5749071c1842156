"""The database: one `db`, and workspace isolation below the services.

Tenant tables carry `workspace_id`. Code runs either in a workspace's scope, in which the session adds that
workspace to every statement, or in the system scope, which is entered by name for what serves all workspaces
(sign-in, intake, delivery). Outside a scope a statement on a tenant table is refused, so that a forgotten
guard shows as an error and not as another workspace's data. What cannot be kept to one workspace (SQL as text,
unions, changes by key: see `tenancy`) needs the system scope.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Connection, Delete, Engine, Executable, Insert, Select, Update, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import LoaderCriteriaOption, ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql import ClauseElement

from backend.core.cursors import Cursor
from backend.core.orm import NAMING, Base, HasId, UtcDateTime, read_json, within_workspace
from backend.core.tenancy import (
    COLUMN,
    TenancyError,
    Tenant,
    check_change,
    check_insert,
    examine,
    insert_reads,
    reads,
)

__all__ = [
    "NAMING",
    "Base",
    "HasId",
    "TenancyError",
    "Tenant",
    "TenantSession",
    "UtcDateTime",
    "current_workspace_id",
    "db",
    "next_id",
    "next_ids",
    "require_scope_of",
    "system_scope",
    "within_workspace",
    "workspace_id_in_scope",
    "workspace_scope",
]

# --- scopes -----------------------------------------------------------------------------------------------

_SYSTEM: Final = "system"
_scope: ContextVar[int | str | None] = ContextVar("workspace_scope", default=None)
# What was waiting to be stored when the scope was entered: it answers to the scope around.
_waiting: ContextVar[tuple[object, ...]] = ContextVar("waiting_before_the_scope", default=())


@contextmanager
def workspace_scope(workspace_id: int) -> Iterator[None]:
    """Everything inside reads and writes this workspace's rows only.

    Also what is stored only later: leaving for another scope raises TenancyError for a pending object of
    another workspace, as a flush inside would.
    """
    with _inside(int(workspace_id)):
        yield


@contextmanager
def system_scope(why: str) -> Iterator[None]:
    """Everything inside may see all workspaces; `why` says to a reader what needs that.

    What a workspace's scope around left pending is checked against that workspace first (TenancyError).
    """
    if not why:
        raise ValueError("the system scope is entered with a reason")
    with _inside(_SYSTEM):
        yield


@contextmanager
def _inside(scope: int | str) -> Iterator[None]:
    outer = _scope.get()
    if outer == scope:
        yield
        return
    _check_waiting(outer)
    waiting = _waiting.set(_pending_objects())
    token = _scope.set(scope)
    try:
        yield
        if outer is not None:
            _check_waiting(scope)
    finally:
        _scope.reset(token)
        _waiting.reset(waiting)


def current_workspace_id() -> int | None:
    """The workspace in scope; None in the system scope and outside of any."""
    scope = _scope.get()
    return scope if isinstance(scope, int) else None


def workspace_id_in_scope() -> int:
    """The workspace in scope, for what happens within one only. Raises TenancyError outside of any."""
    workspace_id = current_workspace_id()
    if workspace_id is None:
        raise TenancyError("this happens within a workspace")
    return workspace_id


def require_scope_of(workspace_id: int) -> None:
    """Raises TenancyError outside of this workspace's scope and the system scope: for SQL that names it itself."""
    scope = _scope.get()
    if scope not in (_SYSTEM, workspace_id):
        raise TenancyError(f"something of workspace {workspace_id} in the scope of {scope}")


class TenantSession(FlaskSession):
    """A session that keeps to the workspace in scope."""

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """Like SQLAlchemy's `get`, but an object of another workspace that is already loaded is not handed out."""
        row = super().get(entity, ident, **options)
        scope = _scope.get()
        if isinstance(row, Tenant) and scope != _SYSTEM and row.workspace_id != scope:
            return None
        return row

    def connection(self, *arguments: Any, **options: Any) -> Connection:
        """The connection itself, which knows no workspace: in the system scope only."""
        _only_in_the_system_scope("a connection")
        return super().connection(*arguments, **options)

    def bulk_save_objects(self, *arguments: Any, **options: Any) -> None:
        """Goes past every check: in the system scope only."""
        _only_in_the_system_scope("bulk_save_objects")
        super().bulk_save_objects(*arguments, **options)

    def bulk_insert_mappings(self, *arguments: Any, **options: Any) -> None:
        """Goes past every check: in the system scope only."""
        _only_in_the_system_scope("bulk_insert_mappings")
        super().bulk_insert_mappings(*arguments, **options)

    def bulk_update_mappings(self, *arguments: Any, **options: Any) -> None:
        """Goes past every check: in the system scope only."""
        _only_in_the_system_scope("bulk_update_mappings")
        super().bulk_update_mappings(*arguments, **options)


def _only_in_the_system_scope(what: str) -> None:
    if _scope.get() != _SYSTEM:
        raise TenancyError(f"{what} needs the system scope")


@event.listens_for(Engine, "handle_error")
def _read_only_counts_as_away(context: ExceptionContext) -> None:
    """A database that takes nothing (a standby, a full disk that somebody made read-only) is away for a while.

    psycopg gives it as an internal error, which would be treated as a defect everywhere. Raises OperationalError.
    """
    original = context.original_exception
    if isinstance(original, ReadOnlySqlTransaction):
        raise OperationalError(context.statement, None, original, hide_parameters=True) from original


def _connection_options() -> dict[str, Any]:
    """How libpq connects. A server that vanishes without a word is noticed within seconds, not after TCP's minutes."""
    options: dict[str, Any] = {
        "application_name": "switchboard",
        "cursor_factory": Cursor,
        "connect_timeout": 5,
        # Statements here take milliseconds; compiling one takes a hundred of them.
        "options": "-c timezone=UTC -c jit=off",
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
    if sys.platform == "linux":
        # In milliseconds; libpq refuses it where the system does not have it.
        options["tcp_user_timeout"] = 8000
    return options


def for_loop(engine: Engine) -> Engine:
    """Another engine for the same database, for a loop that asks every second or two: one connection is kept.

    It is not tried before each use, which would double what a question costs: the first question after the database
    was away raises OperationalError, the next has a new connection. Dispose of it after use.
    """
    return create_engine(
        engine.url, hide_parameters=True, pool_size=1, max_overflow=1, connect_args=_connection_options()
    )


_BY_INDEX = ("sort", "incremental_sort", "seqscan", "bitmapscan", "hashjoin", "mergejoin", "material")


def by_index(engine: Engine) -> Engine:
    """Another engine for the same database, whose statements read the beginning of an index wherever there is one.

    For claims: a queue's statistics are always out of date, and a planner that believes them reads and sorts a whole
    queue for its first rows. Dispose of it after use.
    """
    options = _connection_options()
    options["options"] = " ".join([str(options["options"]), *(f"-c enable_{plan}=off" for plan in _BY_INDEX)])
    return create_engine(
        engine.url,
        hide_parameters=True,
        json_deserializer=read_json,
        pool_pre_ping=True,
        pool_size=1,
        max_overflow=2,
        connect_args=options,
    )


db = SQLAlchemy(
    model_class=Base,
    session_options={"class_": TenantSession, "expire_on_commit": False},
    engine_options={
        "json_deserializer": read_json,
        "pool_size": 10,
        "max_overflow": 20,
        "connect_args": _connection_options(),
    },
)


@event.listens_for(TenantSession, "do_orm_execute")
def _keep_to_workspace(state: ORMExecuteState) -> None:
    scope = _scope.get()
    # A column load completes an object that was handed out before.
    if scope == _SYSTEM or state.is_column_load:
        return
    statement = state.statement
    if isinstance(scope, int):
        _keep_to(scope, state)
        return
    if isinstance(statement, Insert):
        if COLUMN in statement.table.c or insert_reads(statement, state.parameters):
            raise TenancyError(f"no workspace in scope for {statement.table.name}")
        return
    verdict = examine(statement)
    if verdict.tables or verdict.faults:
        raise TenancyError(f"no workspace in scope for {_listed(verdict.tables or verdict.faults)}")


def _keep_to(workspace_id: int, state: ORMExecuteState) -> None:
    """Refuses a statement, or adds the workspace to it."""
    statement = state.statement
    if isinstance(statement, Insert):
        check_insert(statement, state.parameters, workspace_id)
        return
    if not isinstance(statement, Select | Update | Delete):
        raise TenancyError(f"a {type(statement).__name__} needs the system scope")
    verdict = examine(statement)
    if verdict.faults:
        raise TenancyError(f"{_listed(verdict.faults)}: this needs the system scope")
    if isinstance(statement, Update | Delete):
        check_change(statement, state.parameters, state.execution_options, workspace_id)
    if not state.is_orm_statement:
        if verdict.tables:
            raise TenancyError(f"a plain statement on {_listed(verdict.tables)} needs the system scope")
        return
    if verdict.unnamed:
        statement = statement.where(*verdict.criteria(workspace_id))
    # Also for what the statement loads along relationships, at once or later.
    state.statement = statement.options(_criterion(workspace_id))


@lru_cache(maxsize=1000)
def _criterion(workspace_id: int) -> LoaderCriteriaOption:
    return with_loader_criteria(Tenant, lambda cls: cls.workspace_id == workspace_id, include_aliases=True)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))


@event.listens_for(TenantSession, "before_flush")
def _check_flush(session: TenantSession, _context: Any, _instances: Any) -> None:
    for item in (*session.new, *session.dirty, *session.deleted):
        _check_object(session, item, _scope.get())


def _check_object(session: Session, item: object, scope: int | str | None) -> None:
    if scope == _SYSTEM:
        return
    name = type(item).__name__
    if any(isinstance(value, ClauseElement) and reads(value) for value in vars(item).values()):
        raise TenancyError(f"a {name} with a value read from tables needs the system scope")
    if not isinstance(item, Tenant):
        return
    if scope is None:
        raise TenancyError(f"no workspace in scope for a {name}")
    new = item in session.new
    if item.workspace_id is None and new:
        item.workspace_id = int(scope)
    stored = item.workspace_id if new else instance_state(item).committed_state.get(COLUMN, item.workspace_id)
    if item.workspace_id != scope or stored != scope:
        raise TenancyError(f"a {name} of workspace {item.workspace_id} in the scope of {scope}")


def _pending_session() -> Session | None:
    """This context's session, if there is one that has something to store; None without an app context."""
    try:
        session = db.session() if db.session.registry.has() else None
    except RuntimeError:  # there is no app context, hence no session
        return None
    return session if session is not None and (session.new or session.dirty or session.deleted) else None


def _pending_objects() -> tuple[object, ...]:
    session = _pending_session()
    return () if session is None else (*session.new, *session.dirty, *session.deleted)


def _check_waiting(scope: int | str | None) -> None:
    """Checks what waits to be stored against the scope it came from, before another one would store it."""
    if not isinstance(scope, int):
        return
    session = _pending_session()
    if session is None:
        return
    before = {id(item) for item in _waiting.get()}
    for item in (*session.new, *session.dirty, *session.deleted):
        if id(item) not in before:
            _check_object(session, item, scope)


def next_id(table: str) -> int:
    """Takes a row's id before its insert: encrypted columns are bound to it. Costs one short round trip."""
    return next_ids(table, 1)[0]


def next_ids(table: str, count: int) -> list[int]:
    """Takes the ids of so many rows at once, for the same."""
    statement = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
    return _next_numbers(statement, {"table": table, "count": count})


def next_in_sequence(name: str) -> int:
    """Takes the next number of a sequence."""
    return _next_numbers(text("SELECT nextval(:name)"), {"name": name})[0]


def _next_numbers(statement: Executable, values: dict[str, Any]) -> list[int]:
    # Without autoflush, so that nothing pending is stored in this scope: it need not be checked.
    token = _scope.set(_SYSTEM)
    try:
        with db.session.no_autoflush:
            return list(db.session.execute(statement, values).scalars())
    finally:
        _scope.reset(token)
