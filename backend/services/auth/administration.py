"""What the command line does to people. Each enters the system scope by itself; the caller commits."""

from __future__ import annotations

from sqlalchemy import exists, func, select

from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, NotFound
from backend.models import User, Workspace
from backend.services.auth import audit, password_resets
from backend.services.auth.actor import ADMIN, OPERATOR, VIEWER
from backend.services.auth.attribution import COMMAND_LINE
from backend.services.auth.registration import add_person, open_workspace, password_hash
from backend.services.mail import addresses

DEMO_EMAIL = "owner@example.com"


def create_person(
    email: str,
    password: str,
    *,
    name: str | None = None,
    workspace: str | None = None,
    role: str = ADMIN,
    is_owner: bool = False,
) -> User:
    """Makes a person who can sign in, in the workspace of this name (default: the first), which is made if need be.

    Raises Conflict (`email_taken`, or `workspace_ambiguous` for a name that several have), Invalid.
    """
    known = [word for word in (addresses.normalized(email), name, workspace) if word]
    hashed = password_hash(password, known=known)
    with system_scope("the command line administers the whole instance"):
        home = _workspace(workspace)
        if home is None:
            home = open_workspace(workspace or "Switchboard")
            audit.record(COMMAND_LINE, "workspace.created", f"workspace:{home.id}", home.id)
        person = add_person(home, email, hashed, name or email.partition("@")[0], role=role, is_owner=is_owner)
        audit.record(COMMAND_LINE, "person.created", f"user:{person.id}", home.id, role=role, owner=is_owner)
        db.session.flush()
    return person


def set_password(email: str, password: str) -> User:
    """Gives somebody a new password and ends their sign-ins. Raises NotFound, Invalid."""
    with system_scope("the command line administers the whole instance"):
        person = db.session.scalar(select(User).where(func.lower(User.email) == addresses.normalized(email)))
    if person is None:
        raise NotFound("person_not_found", "Nobody here uses this e-mail address.")
    hashed = password_hash(password, known=[word for word in (person.email, person.name) if word])
    with workspace_scope(person.workspace_id):
        password_resets.set_password(person, hashed)
        audit.record(COMMAND_LINE, "password.set", f"user:{person.id}")
        db.session.flush()
    return person


def create_demo(password: str) -> User | None:
    """The instance's first owner, in a workspace with two colleagues; None where there are workspaces already."""
    with system_scope("the command line administers the whole instance"):
        if db.session.scalar(select(exists().where(Workspace.id.is_not(None)))):
            return None
    owner = create_person(DEMO_EMAIL, password, name="Demo Owner", workspace="Demo", role=ADMIN, is_owner=True)
    with workspace_scope(owner.workspace_id):
        for name, role in (("Demo Operator", OPERATOR), ("Demo Viewer", VIEWER)):
            db.session.add(
                User(
                    workspace_id=owner.workspace_id,
                    name=name,
                    role=role,
                    external_user_id=name.lower().replace(" ", "-"),
                    created_at=owner.created_at,
                )
            )
        db.session.flush()
    return owner


def _workspace(name: str | None) -> Workspace | None:
    if name is None:
        return db.session.scalar(select(Workspace).order_by(Workspace.id).limit(1))
    workspaces = db.session.scalars(select(Workspace).where(Workspace.name == name.strip()).limit(2)).all()
    if len(workspaces) > 1:
        raise Conflict("workspace_ambiguous", f"Several workspaces are called {name}.")
    return workspaces[0] if workspaces else None
