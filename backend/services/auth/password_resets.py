"""Setting a new password without the old one, by a single-use link."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update

from backend.core import clock, config
from backend.core.crypto import digest
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, NotFound
from backend.models import PasswordReset, User
from backend.services.auth import audit, emails, limits, people, sign_in
from backend.services.auth.actor import Actor
from backend.services.auth.registration import password_hash

LIFE: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ResetLink:
    """What the person needs; shown once, only its hash is kept."""

    link: str
    token: str
    expires_at: datetime


def issue(actor: Actor, user_id: int) -> ResetLink:
    """An admin makes a link for somebody of their workspace; an earlier one stops working.

    Raises NotFound, Forbidden (`owner_required`), Conflict (`no_email`: this person cannot sign in by password).
    """
    person = people.get(user_id)
    people.protect_owner(actor, person)
    if person.email is None:
        raise Conflict("no_email", "This person has no e-mail address to sign in with.")
    now = clock.now()
    db.session.execute(
        update(PasswordReset)
        .where(PasswordReset.user_id == person.id, PasswordReset.used_at.is_(None))
        .values(used_at=now)
    )
    token = secrets.token_urlsafe(32)
    db.session.add(
        PasswordReset(
            workspace_id=person.workspace_id,
            user_id=person.id,
            token_hash=digest(token),
            created_at=now,
            expires_at=now + LIFE,
        )
    )
    audit.record(actor.label, "password.reset_issued", f"user:{person.id}")
    return ResetLink(f"{config.get().site_url}/reset-password?token={token}", token, now + LIFE)


def request(email: str, *, address: str) -> None:
    """Somebody has forgotten the password of this account; the caller answers the same whether it exists or not.

    The workspace's audit shows the request to its admins, who can make a link. Raises Invalid, TooManyRequests.
    """
    wanted = emails.normalized(email)
    limits.count_registration(address)
    with system_scope("whose address it is decides the workspace"):
        person = db.session.scalar(select(User).where(func.lower(User.email) == wanted, User.disabled_at.is_(None)))
        if person is not None:
            audit.record("system", "password.reset_requested", f"user:{person.id}", person.workspace_id)
            db.session.flush()


def confirm(token: str, password: str) -> None:
    """Sets the password and ends all of the person's sign-ins.

    Raises NotFound for an unknown, used or expired token (of two at once one wins); Invalid, which burns nothing.
    """
    now = clock.now()
    hashed = password_hash(password)
    with system_scope("whose token it is decides the workspace"):
        found = db.session.execute(
            update(PasswordReset)
            .where(
                PasswordReset.token_hash == digest(token),
                PasswordReset.used_at.is_(None),
                PasswordReset.expires_at > now,
            )
            .values(used_at=now)
            .returning(PasswordReset.user_id, PasswordReset.workspace_id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
    if found is None:
        raise NotFound("reset_token_unknown", "This link is unknown, used or expired; ask for a new one.")
    with workspace_scope(found.workspace_id):
        person = people.get(found.user_id)
        if person.disabled_at is not None:
            raise NotFound("reset_token_unknown", "This link is unknown, used or expired; ask for a new one.")
        set_password(person, hashed)
        audit.record(f"user:{person.id}", "password.reset", f"user:{person.id}")


def set_password(person: User, hashed: str) -> None:
    """Stores a new password's hash, ends all sign-ins and forgives failed ones, within the workspace's scope."""
    person.password_hash = hashed
    if person.email is not None:
        limits.forgive(person.email)
    sign_in.end_all(person.id, "password_reset")
    db.session.flush()
