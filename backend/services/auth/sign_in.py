"""Sign-ins: one per device, each a family of refresh tokens of which only the newest counts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select, update

from backend.core import clock, passwords
from backend.core.database import db, system_scope
from backend.core.errors import Invalid, Unauthorized
from backend.models import SignIn, User
from backend.services.auth import audit, emails, limits

REFRESH_LIFE: Final = timedelta(days=30)
"""A sign-in that is not refreshed for this long is over."""
_USER_AGENT_CHARACTERS: Final = 300


def by_password(email: str, password: str, *, address: str, user_agent: str | None) -> SignIn:
    """Signs in with a password; `address` is where the request comes from.

    An unknown account costs as much time and gives the same answer as a wrong password. Raises Unauthorized
    (`invalid_credentials`, and `account_disabled` only to who knows the password) and TooManyRequests.
    """
    refusal = Unauthorized("invalid_credentials", "The e-mail address or the password is wrong.")
    try:
        wanted = emails.normalized(email)
    except Invalid:
        wanted = email.strip().lower()
    limits.count_login(wanted, address)
    with system_scope("who signs in decides the workspace"):
        person = db.session.scalar(select(User).where(func.lower(User.email) == wanted))
        if person is None or person.password_hash is None:
            passwords.verify_dummy(password)
            raise refusal
        if not passwords.verify(person.password_hash, password):
            raise refusal
        limits.login_succeeded(wanted, address)
        if person.disabled_at is not None:
            raise Unauthorized("account_disabled", "This account has been disabled.")
        if passwords.needs_rehash(person.password_hash):
            person.password_hash = passwords.hash(password)
        return start(person, user_agent)


def start(person: User, user_agent: str | None) -> SignIn:
    """Stores a new sign-in of this person."""
    now = clock.now()
    begun = SignIn(
        workspace_id=person.workspace_id,
        user_id=person.id,
        current_jti=uuid.uuid4().hex,
        created_at=now,
        refreshed_at=now,
        expires_at=now + REFRESH_LIFE,
        user_agent=_shown(user_agent),
    )
    with system_scope("who signs in decides the workspace"):
        db.session.add(begun)
        db.session.flush()
    audit.record(f"user:{person.id}", "sign_in.started", f"sign_in:{begun.id}", person.workspace_id)
    return begun


@dataclass(frozen=True, slots=True)
class Rotation:
    """What came of a refresh token. `reused` means the family has been revoked, which has to be stored."""

    sign_in: SignIn
    reused: bool = False


def rotate(user_id: int, sign_in_id: int, jti: str) -> Rotation:
    """Exchanges a refresh token, named by its claims, for the next of its family.

    A token that has been exchanged before means that somebody else has a copy: the whole family is revoked. Of two
    requests with one token at the same time, one wins and the other counts as reuse. Raises Unauthorized.
    """
    now = clock.now()
    query = (
        select(SignIn, User.disabled_at)
        .join(User, (User.id == SignIn.user_id) & (User.workspace_id == SignIn.workspace_id))
        .where(SignIn.id == sign_in_id, SignIn.user_id == user_id)
        .with_for_update(of=SignIn)
    )
    with system_scope("who signs in decides the workspace"):
        found = db.session.execute(query).one_or_none()
        if found is None:
            raise Unauthorized("token_revoked", "This sign-in has ended; sign in again.")
        family, disabled_at = found
        if family.current_jti != jti:
            if family.revoked_at is None:
                _end(family, "token_reused")
                audit.record(f"user:{user_id}", "sign_in.token_reused", f"sign_in:{family.id}", family.workspace_id)
                db.session.flush()
            return Rotation(family, reused=True)
        if family.revoked_at is not None:
            raise Unauthorized("token_revoked", "This sign-in has ended; sign in again.")
        if family.expires_at <= now:
            raise Unauthorized("token_expired", "This sign-in has expired; sign in again.")
        if disabled_at is not None:
            raise Unauthorized("account_disabled", "This account has been disabled.")
        family.previous_jti, family.current_jti = family.current_jti, uuid.uuid4().hex
        family.refreshed_at, family.expires_at = now, now + REFRESH_LIFE
        db.session.flush()
    return Rotation(family)


def end(sign_in_id: int, user_id: int) -> None:
    """Ends one sign-in, within its workspace's scope: its access and refresh tokens stop counting."""
    family = db.session.get(SignIn, sign_in_id)
    if family is not None and family.user_id == user_id and family.revoked_at is None:
        _end(family, "signed_out")
        audit.record(f"user:{user_id}", "sign_in.ended", f"sign_in:{sign_in_id}")


def end_all(user_id: int, code: str, *, except_id: int | None = None) -> None:
    """Ends all sign-ins of a person, within the workspace's scope; `code` says why."""
    query = update(SignIn).where(SignIn.user_id == user_id, SignIn.revoked_at.is_(None))
    if except_id is not None:
        query = query.where(SignIn.id != except_id)
    db.session.execute(query.values(revoked_at=clock.now(), revoked_code=code))


def _end(family: SignIn, code: str) -> None:
    family.revoked_at = clock.now()
    family.revoked_code = code


def _shown(user_agent: str | None) -> str | None:
    if not user_agent:
        return None
    return user_agent.replace("\0", "")[:_USER_AGENT_CHARACTERS] or None
