"""The people of a workspace: members who sign in, and those a host application reports events for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock, events, passwords
from backend.core.database import db
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized, Unavailable
from backend.models import User, Workspace
from backend.services import paging
from backend.services.auth import audit, limits, sign_in
from backend.services.auth.actor import ADMIN, PEOPLE_ACT, ROLES, VIEWER, Actor
from backend.services.auth.events import PersonDisabled
from backend.services.auth.registration import password_hash

MAX_EXTERNAL_ID = 200
"""Characters of a host application's own id for a person."""


def person_by(
    actor: Actor, user_id: int | None = None, external_user_id: str | None = None, *, make: bool = True
) -> User:
    """The person a request is about: the caller, unless it names somebody by our id or by the host application's.

    Naming somebody else takes the scope `people:act`. An unknown `external_user_id` makes a person without a
    password; with `make=False` it is NotFound.
    Runs in the actor's workspace. Raises Invalid (both named, or an unusable id), Forbidden
    (`scope_missing`), NotFound (`person_not_found`).
    """
    if user_id is not None and external_user_id is not None:
        raise Invalid("person_ambiguous", "Name a person by user_id or by external_user_id, not by both.")
    if external_user_id is not None:
        return _by_external_id(actor, external_user_id, make)
    if user_id is None or user_id == actor.user_id:
        return get(actor.user_id)
    _require_people_act(actor)
    return get(user_id)


def _by_external_id(actor: Actor, external_user_id: str, make: bool) -> User:
    name = external_user_id.strip()
    if not name or len(name) > MAX_EXTERNAL_ID:
        message = f"An external_user_id has 1 to {MAX_EXTERNAL_ID} characters."
        raise Invalid.of("external_user_id", "invalid_external_user_id", message)
    known = select(User).where(User.external_user_id == name)
    person = db.session.scalar(known)
    if person is not None and person.id == actor.user_id:
        return person
    _require_people_act(actor)
    if person is not None:
        return person
    if not make:
        raise NotFound("person_not_found", "There is no such person here.")
    created_id = (
        insert(User)
        .values(
            workspace_id=actor.workspace_id,
            external_user_id=name,
            name=name,
            role=VIEWER,
            is_owner=False,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["workspace_id", "external_user_id"])
        .returning(User.id)
    )
    new_id = db.session.execute(created_id).scalar_one_or_none()
    if new_id is not None:
        audit.record(actor.by, "person.created", f"user:{new_id}", external=True)
    return db.session.scalars(known).one()


def _require_people_act(actor: Actor) -> None:
    if not actor.may(PEOPLE_ACT):
        raise Forbidden("scope_missing", f"Acting for somebody else needs the scope {PEOPLE_ACT}.")


def get(user_id: int) -> User:
    """A person of the workspace in scope. Raises NotFound."""
    person = db.session.get(User, user_id)
    if not isinstance(person, User):
        raise NotFound("person_not_found", "There is no such person here.")
    return person


def profile(user_id: int) -> tuple[User, Workspace]:
    """A person with their workspace, in whose scope this runs."""
    person = get(user_id)
    workspace = db.session.get(Workspace, person.workspace_id)
    assert workspace is not None, "a foreign key says so"
    return person, workspace


def listing(
    *, role: str | None = None, external_user_id: str | None = None, cursor: str | None, limit: int
) -> tuple[list[User], str | None]:
    """The people of the workspace in scope, the oldest first."""
    query = select(User)
    if role is not None:
        query = query.where(User.role == role)
    if external_user_id is not None:
        query = query.where(User.external_user_id == external_user_id)
    return paging.page(query, User.id, cursor=cursor, limit=limit, descending=False)


def change_profile(
    actor: Actor, *, name: str | None = None, locale: str | None = None, timezone: str | None = None
) -> None:
    """Changes what people say about themselves; None leaves a value as it is."""
    person = get(actor.user_id)
    wanted = {"name": name.strip() if name else None, "locale": locale, "timezone": timezone}
    changed = [field for field, value in wanted.items() if value is not None and getattr(person, field) != value]
    for field in changed:
        setattr(person, field, wanted[field])
    if changed:
        audit.record(actor.by, "profile.changed", f"user:{person.id}", fields=changed)


def change_password(actor: Actor, current: str, new: str) -> None:
    """Changes the caller's password and ends their other sign-ins.

    Raises Unauthorized (`invalid_credentials`) for a wrong current one, counted for this sign-in alone; Invalid,
    TooManyRequests, Unavailable.
    """
    person, workspace = profile(actor.user_id)
    counted = limits.count_password_check(actor.user_id, actor.sign_in_id)
    try:
        right = passwords.verify(person.password_hash, current, caller=actor.label, preferred=True)
    except Unavailable:
        counted.abandoned()
        raise
    if not right:
        raise Unauthorized("invalid_credentials", "The current password is wrong.")
    counted.succeeded()
    known = [word for word in (person.email, person.name, workspace.name) if word]
    person.password_hash = password_hash(new, field="new_password", known=known, caller=actor.label)
    sign_in.end_all(person.id, "password_changed", except_id=actor.sign_in_id)
    audit.record(actor.by, "password.changed", f"user:{person.id}")


def change(
    actor: Actor, user_id: int, *, name: str | None = None, role: str | None = None, disabled: bool | None = None
) -> User:
    """An admin changes somebody of their workspace; None leaves a value as it is.

    Raises NotFound, Forbidden (`owner_required`: an owner of the instance is changed by owners only), Conflict
    (`last_admin`: a workspace keeps an admin who can sign in).
    """
    _lock_workspace(actor.workspace_id)
    person = get(user_id)
    protect_owner(actor, person)
    if role is not None and role not in ROLES:
        raise Invalid("invalid_role", f"A role is one of {', '.join(ROLES)}.")
    loses_admin = person.role == ADMIN and (disabled is True or (role is not None and role != ADMIN))
    if loses_admin and _other_admins(person.id) == 0:
        raise Conflict("last_admin", "A workspace keeps at least one admin.")
    if name is not None and name.strip() != person.name:
        person.name = name.strip()
        audit.record(actor.by, "person.renamed", f"user:{person.id}")
    if role is not None and role != person.role:
        audit.record(actor.by, "person.role_changed", f"user:{person.id}", old=person.role, new=role)
        person.role = role
    if disabled is not None and disabled != (person.disabled_at is not None):
        _set_disabled(actor, person, clock.now() if disabled else None)
    return person


def protect_owner(actor: Actor, person: User) -> None:
    """Raises Forbidden where a workspace's admin would lay hands on an owner of the whole instance."""
    if person.is_owner and not actor.is_owner:
        raise Forbidden("owner_required", "Only an owner of this instance may change an owner.")


def _set_disabled(actor: Actor, person: User, at: datetime | None) -> None:
    person.disabled_at = at
    if at is not None:
        sign_in.end_all(person.id, "disabled")
        events.publish(PersonDisabled(person.id))
    audit.record(actor.by, "person.disabled" if at else "person.enabled", f"user:{person.id}")


def _lock_workspace(workspace_id: int) -> None:
    # Two admins who demote each other at the same moment go one after the other.
    db.session.execute(select(Workspace.id).where(Workspace.id == workspace_id).with_for_update())


def _other_admins(user_id: int) -> int:
    query = select(func.count()).select_from(User).where(
        User.role == ADMIN, User.disabled_at.is_(None), User.password_hash.is_not(None), User.id != user_id
    )  # fmt: skip
    return db.session.execute(query).scalar_one()
