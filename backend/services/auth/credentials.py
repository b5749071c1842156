"""From what a request carries to who it is: one statement each, so that a revocation counts with the next request."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update

from backend.core import clock
from backend.core.crypto import digest
from backend.core.database import db, system_scope
from backend.core.errors import Unauthorized
from backend.models import PersonalToken, SignIn, User, Workspace
from backend.services.auth.actor import Actor, scopes_of

TOKEN_PREFIX = "sbp_"  # noqa: S105 - how a personal token begins, so that scanners can find leaked ones
_USED_EVERY = timedelta(minutes=5)


def by_sign_in(user_id: int, sign_in_id: int) -> Actor:
    """Who a valid access token speaks for. Raises Unauthorized when its sign-in is over or the person disabled."""
    query = (
        select(
            User.id, User.workspace_id, User.role, User.is_owner, User.disabled_at,
            SignIn.revoked_at, SignIn.expires_at,
        )
        .join(SignIn, (SignIn.user_id == User.id) & (SignIn.workspace_id == User.workspace_id))
        .join(Workspace, Workspace.id == User.workspace_id)
        .where(SignIn.id == sign_in_id, User.id == user_id)
    )  # fmt: skip
    with system_scope("who signs in decides the workspace"):
        row = db.session.execute(query).one_or_none()
    if row is None or row.revoked_at is not None:
        raise Unauthorized("token_revoked", "This sign-in has ended; sign in again.")
    if row.expires_at <= clock.now():
        raise Unauthorized("token_expired", "This sign-in has expired; sign in again.")
    _refuse_disabled(row.disabled_at)
    return Actor(
        user_id=row.id,
        workspace_id=row.workspace_id,
        role=row.role,
        is_owner=row.is_owner,
        scopes=scopes_of(row.role),
        label=f"user:{row.id}",
        sign_in_id=sign_in_id,
    )


def by_personal_token(secret: str) -> Actor:
    """Who a personal access token speaks for. Raises Unauthorized for one that is unknown, revoked or expired.

    Its last use is noted to within five minutes, so that a busy token does not write with every request.
    """
    now = clock.now()
    query = (
        select(
            User.id, User.workspace_id, User.role, User.is_owner, User.disabled_at, PersonalToken.id.label("token_id"),
            PersonalToken.scopes, PersonalToken.revoked_at, PersonalToken.expires_at, PersonalToken.last_used_at,
        )
        .join(PersonalToken, (PersonalToken.user_id == User.id) & (PersonalToken.workspace_id == User.workspace_id))
        .join(Workspace, Workspace.id == User.workspace_id)
        .where(PersonalToken.token_hash == digest(secret))
    )  # fmt: skip
    with system_scope("whose token it is decides the workspace"):
        row = db.session.execute(query).one_or_none()
        if row is None:
            raise Unauthorized("unauthorized", "Valid credentials are required.")
        if row.revoked_at is not None:
            raise Unauthorized("token_revoked", "This token has been revoked.")
        if row.expires_at is not None and row.expires_at <= now:
            raise Unauthorized("token_expired", "This token has expired.")
        _refuse_disabled(row.disabled_at)
        if row.last_used_at is None or now - row.last_used_at >= _USED_EVERY:
            db.session.execute(
                update(PersonalToken)
                .where(PersonalToken.id == row.token_id)
                .values(last_used_at=now)
                .execution_options(synchronize_session=False)
            )
    return Actor(
        user_id=row.id,
        workspace_id=row.workspace_id,
        role=row.role,
        is_owner=row.is_owner,
        scopes=frozenset(row.scopes) & scopes_of(row.role),
        label=f"token:{row.token_id}",
    )


def _refuse_disabled(disabled_at: datetime | None) -> None:
    if disabled_at is not None:
        raise Unauthorized("account_disabled", "This account has been disabled.")
