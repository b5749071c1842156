"""From what a request carries to who it is: one statement each, so that a revocation counts with the next request.

The statement also reads the person and their workspace, which the session keeps: `people.get` finds them there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, select, update

from backend.core import clock
from backend.core.crypto import digest
from backend.core.database import db, system_scope
from backend.core.errors import Unauthorized
from backend.models import PersonalToken, SignIn, User, Workspace
from backend.services.auth.actor import Actor, scopes_of

TOKEN_PREFIX = "sbp_"  # noqa: S105 - how a personal token begins, so that scanners can find leaked ones
_USED_EVERY = timedelta(minutes=5)


_BY_SIGN_IN: Final = (
    select(User, Workspace, SignIn.revoked_at, SignIn.expires_at)
    .join(SignIn, (SignIn.user_id == User.id) & (SignIn.workspace_id == User.workspace_id))
    .join(Workspace, Workspace.id == User.workspace_id)
    .where(SignIn.id == bindparam("sign_in_id"), User.id == bindparam("user_id"))
    .execution_options(populate_existing=True)
)
_BY_TOKEN: Final = (
    select(
        User, Workspace, PersonalToken.id.label("token_id"), PersonalToken.scopes, PersonalToken.revoked_at,
        PersonalToken.expires_at, PersonalToken.last_used_at,
    )
    .join(PersonalToken, (PersonalToken.user_id == User.id) & (PersonalToken.workspace_id == User.workspace_id))
    .join(Workspace, Workspace.id == User.workspace_id)
    .where(PersonalToken.token_hash == bindparam("token_hash"))
    .execution_options(populate_existing=True)
)  # fmt: skip
_CALLER: Final = "caller"
"""Where a session keeps the person and the workspace of its request: so what reads them needs no statement more."""


def by_sign_in(user_id: int, sign_in_id: int) -> Actor:
    """Who a valid access token speaks for. Raises Unauthorized when its sign-in is over or the person disabled."""
    with system_scope("who signs in decides the workspace"):
        row = db.session.execute(_BY_SIGN_IN, {"sign_in_id": sign_in_id, "user_id": user_id}).one_or_none()
    if row is None or row.revoked_at is not None:
        raise Unauthorized("token_revoked", "This sign-in has ended; sign in again.")
    if row.expires_at <= clock.now():
        raise Unauthorized("token_expired", "This sign-in has expired; sign in again.")
    user: User = row.User
    _refuse_disabled(user.disabled_at)
    db.session.info[_CALLER] = (user, row.Workspace)
    return Actor(
        user_id=user.id,
        workspace_id=user.workspace_id,
        role=user.role,
        is_owner=user.is_owner,
        scopes=scopes_of(user.role),
        label=f"user:{user.id}",
        sign_in_id=sign_in_id,
    )


def by_personal_token(secret: str) -> Actor:
    """Who a personal access token speaks for. Raises Unauthorized for one that is unknown, revoked or expired.

    Its last use is noted to within five minutes, so that a busy token does not write with every request.
    """
    now = clock.now()
    with system_scope("whose token it is decides the workspace"):
        row = db.session.execute(_BY_TOKEN, {"token_hash": digest(secret)}).one_or_none()
        if row is None:
            raise Unauthorized("unauthorized", "Valid credentials are required.")
        if row.revoked_at is not None:
            raise Unauthorized("token_revoked", "This token has been revoked.")
        if row.expires_at is not None and row.expires_at <= now:
            raise Unauthorized("token_expired", "This token has expired.")
        user: User = row.User
        _refuse_disabled(user.disabled_at)
        if row.last_used_at is None or now - row.last_used_at >= _USED_EVERY:
            db.session.execute(
                update(PersonalToken)
                .where(PersonalToken.id == row.token_id)
                .values(last_used_at=now)
                .execution_options(synchronize_session=False)
            )
    db.session.info[_CALLER] = (user, row.Workspace)
    return Actor(
        user_id=user.id,
        workspace_id=user.workspace_id,
        role=user.role,
        is_owner=user.is_owner,
        scopes=frozenset(row.scopes) & scopes_of(user.role),
        label=f"token:{row.token_id}",
    )


def _refuse_disabled(disabled_at: datetime | None) -> None:
    if disabled_at is not None:
        raise Unauthorized("account_disabled", "This account has been disabled.")
