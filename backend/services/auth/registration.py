"""New workspaces and the people who open them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from backend.core import clock, config, events, passwords
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.models import User, Workspace
from backend.services.auth import audit
from backend.services.auth.actor import ADMIN
from backend.services.auth.attribution import of_user
from backend.services.auth.events import WorkspaceCreated
from backend.services.mail import addresses


def register(email: str, password: str, name: str, workspace: str, *, network: str | None = None) -> User:
    """Opens a workspace with this person as its admin, where registration is open.

    No transaction is open while the password is hashed: what the session holds unsaved is lost. Raises Forbidden
    (`registration_closed`), Conflict (`email_taken`), Invalid, TooManyRequests, Unavailable.
    """
    if config.get().registration != "open":
        raise Forbidden("registration_closed", "Registration here is by invitation only.")
    hashed = password_hash(password, known=(_free(email), name, workspace), caller=network)
    opened = open_workspace(workspace)
    person = add_person(opened, email, hashed, name, role=ADMIN)
    audit.record(of_user(person.id), "workspace.created", f"workspace:{opened.id}", opened.id)
    audit.record(of_user(person.id), "person.registered", f"user:{person.id}", opened.id)
    return person


def _free(email: str) -> str:
    """The address, if nobody has it yet: that costs a look, a hash costs a thousand times as much."""
    address = addresses.normalized(email)
    with system_scope("an address is unique in the whole instance"):
        taken = db.session.scalar(select(User.id).where(func.lower(User.email) == address))
        db.session.rollback()
    if taken is not None:
        raise _taken()
    return address


def _taken() -> Conflict:
    return Conflict("email_taken", "Somebody here already uses this e-mail address.")


def open_workspace(name: str) -> Workspace:
    """Stores a workspace and publishes `WorkspaceCreated` in this transaction."""
    opened = Workspace(name=name.strip(), created_at=clock.now())
    db.session.add(opened)
    db.session.flush()
    with system_scope("what a new workspace starts with is made by the features themselves"):
        events.publish(WorkspaceCreated(opened.id))
    return opened


def add_person(workspace: Workspace, email: str, hashed: str, name: str, *, role: str, is_owner: bool = False) -> User:
    """Stores a person who can sign in, with what `password_hash` made of their password.

    Raises Conflict (`email_taken`), which ends the transaction, and Invalid.
    """
    person = User(
        workspace_id=workspace.id,
        email=addresses.normalized(email),
        name=name.strip(),
        role=role,
        is_owner=is_owner,
        password_hash=hashed,
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
            raise _taken() from None
        raise
    return person


def password_hash(
    password: str, *, field: str = "password", known: Iterable[str] = (), caller: str | None = None
) -> str:
    """The stored form of a password; `known` is what others know of its account, `caller` the network it comes from.

    Raises Invalid naming `field`, and what `HashQueue.place` raises.
    """
    try:
        passwords.check(password, known)
        return passwords.hash(password, caller=caller)
    except Invalid as error:
        raise Invalid.of(field, error.code, error.message) from None
