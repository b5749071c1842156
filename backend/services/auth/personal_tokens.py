"""Personal access tokens: for programs that act as a person, within what the person allows them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from backend.core import clock
from backend.core.crypto import digest
from backend.core.database import db
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.models import PersonalToken
from backend.services import paging
from backend.services.auth import audit
from backend.services.auth.actor import SCOPES, Actor
from backend.services.auth.credentials import TOKEN_PREFIX

MAX_COUNT: Final = 100
"""Tokens in force per person."""
_SHOWN_CHARACTERS: Final = len(TOKEN_PREFIX) + 6


def issue(
    actor: Actor, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[PersonalToken, str]:
    """Makes a token of the caller's and returns it with its secret, which is shown this once.

    Raises Invalid (unknown scopes, an expiry in the past), Forbidden (`scope_missing`: a scope that the caller's own
    role does not have), Conflict (`too_many_tokens`).
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise Invalid.of("scopes", "unknown_scope", f"Scopes are {', '.join(SCOPES)}.")
    missing = sorted(set(scopes) - actor.scopes)
    if missing:
        raise Forbidden("scope_missing", f"Your role does not have {', '.join(missing)}.")
    now = clock.now()
    if expires_at is not None and expires_at <= now:
        raise Invalid.of("expires_at", "in_the_past", "The expiry has to be in the future.")
    if _in_force(actor.user_id, now) >= MAX_COUNT:
        raise Conflict("too_many_tokens", f"A person has at most {MAX_COUNT} tokens; revoke some first.")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = PersonalToken(
        workspace_id=actor.workspace_id,
        user_id=actor.user_id,
        name=name.strip(),
        prefix=secret[:_SHOWN_CHARACTERS],
        token_hash=digest(secret),
        scopes=sorted(set(scopes), key=SCOPES.index),
        created_at=now,
        expires_at=expires_at,
    )
    db.session.add(token)
    db.session.flush()
    audit.record(actor.by, "token.issued", f"token:{token.id}", scopes=token.scopes)
    return token, secret


def listing(actor: Actor, *, cursor: str | None, limit: int) -> tuple[list[PersonalToken], str | None]:
    """The caller's tokens that are not revoked, the newest first."""
    query = select(PersonalToken).where(PersonalToken.user_id == actor.user_id, PersonalToken.revoked_at.is_(None))
    return paging.page(query, PersonalToken.id, cursor=cursor, limit=limit)


def get(actor: Actor, token_id: int) -> PersonalToken:
    """One of the caller's tokens. Raises NotFound, also for another person's."""
    token = db.session.get(PersonalToken, token_id)
    if not isinstance(token, PersonalToken) or token.user_id != actor.user_id or token.revoked_at is not None:
        raise NotFound("token_not_found", "There is no such token of yours.")
    return token


def rename(actor: Actor, token_id: int, name: str) -> PersonalToken:
    """Gives a token another name. Raises NotFound."""
    token = get(actor, token_id)
    token.name = name.strip()
    audit.record(actor.by, "token.renamed", f"token:{token_id}")
    return token


def revoke(actor: Actor, token_id: int) -> None:
    """Ends a token; it stops counting with the next request. Raises NotFound."""
    get(actor, token_id).revoked_at = clock.now()
    audit.record(actor.by, "token.revoked", f"token:{token_id}")


def _in_force(user_id: int, now: datetime) -> int:
    query = select(func.count()).select_from(PersonalToken).where(
        PersonalToken.user_id == user_id,
        PersonalToken.revoked_at.is_(None),
        (PersonalToken.expires_at.is_(None)) | (PersonalToken.expires_at > now),
    )  # fmt: skip
    return db.session.execute(query).scalar_one()
