"""Each call a transaction of its own: it neither sees nor commits what the caller has open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import NotFound
from backend.models import User, Workspace

"""How the audit names a host application that calls from Python."""


@contextmanager
def of_person(user_id: int) -> Iterator[User]:
    """The person, in their workspace's scope; commits at the end, rolls back on any error. Raises NotFound."""
    with _own_session() as own:
        with system_scope("the caller names a person; the workspace follows"):
            user = own.get(User, user_id)
        if user is None:
            raise NotFound("person_not_found", "There is no such person.")
        with workspace_scope(user.workspace_id):
            yield user
            own.commit()


@contextmanager
def of_workspace(workspace_id: int | None) -> Iterator[int]:
    """The workspace's id, in its scope; by default the instance's first. Commits at the end. Raises NotFound."""
    with _own_session() as own:
        with system_scope("the caller names a workspace, or means the first"):
            query = select(func.min(Workspace.id))
            if workspace_id is not None:
                query = query.where(Workspace.id == workspace_id)
            value = own.execute(query).scalar()
        if value is None:
            raise NotFound("workspace_not_found", "There is no such workspace.")
        with workspace_scope(value):
            yield value
            own.commit()


@contextmanager
def _own_session() -> Iterator[Session]:
    """Another session for the app context for the while, so that what the caller has open stays as it is."""
    callers = db.session()
    own = db.session.session_factory()
    db.session.registry.set(own)
    try:
        yield own
    except BaseException:
        own.rollback()
        raise
    finally:
        own.close()
        db.session.registry.set(callers)
