"""New workspaces and the people who open them."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from backend.core import clock, config, events, passwords
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.models import User, Workspace
from backend.services.auth import audit, emails
from backend.services.auth.actor import ADMIN


def register(email: str, password: str, name: str, workspace: str) -> User:
    """Opens a workspace with this person as its admin, where registration is open.

    Raises Forbidden (`registration_closed`), Conflict (`email_taken`), Invalid.
    """
    if config.get().registration != "open":
        raise Forbidden("registration_closed", "Registration here is by invitation only.")
    opened = open_workspace(workspace)
    person = add_person(opened, email, password, name, role=ADMIN)
    audit.record(f"user:{person.id}", "workspace.created", f"workspace:{opened.id}", opened.id)
    audit.record(f"user:{person.id}", "person.registered", f"user:{person.id}", opened.id)
    return person


def open_workspace(name: str) -> Workspace:
    """Stores a workspace and publishes `workspace_created(workspace_id)` in this transaction."""
    opened = Workspace(name=name.strip(), created_at=clock.now())
    db.session.add(opened)
    db.session.flush()
    with system_scope("what a new workspace starts with is made by the features themselves"):
        events.publish("workspace_created", workspace_id=opened.id)
    return opened


def add_person(
    workspace: Workspace, email: str, password: str, name: str, *, role: str, is_owner: bool = False
) -> User:
    """Stores a person who can sign in. Raises Conflict (`email_taken`), which ends the transaction, and Invalid."""
    person = User(
        workspace_id=workspace.id,
        email=emails.normalized(email),
        name=name.strip(),
        role=role,
        is_owner=is_owner,
        password_hash=password_hash(password),
        locale="en",
        timezone="UTC",
        created_at=clock.now(),
    )
    try:
        with system_scope("an address is unique in the whole instance"):
            db.session.add(person)
            db.session.flush()
    except IntegrityError as error:
        if "uq_users_email" in str(error.orig):
            raise Conflict("email_taken", "Somebody here already uses this e-mail address.") from None
        raise
    return person


def password_hash(password: str, *, field: str = "password") -> str:
    """The stored form of a password. Raises Invalid naming `field`."""
    try:
        return passwords.hash(password)
    except Invalid as error:
        fault = {"field": field, "code": error.code, "message": error.message}
        raise Invalid(error.code, error.message, detail=[fault]) from None
