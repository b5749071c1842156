"""Sign-ins: one per device, each a family of refresh tokens of which only the newest counts."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import func, or_, select, update

from backend.core import clock, passwords
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import keyring
from backend.core.errors import Invalid, TooManyRequests, Unauthorized, Unavailable
from backend.models import SignIn, User
from backend.services.auth import audit, limits
from backend.services.auth.attribution import of_user
from backend.services.mail import addresses

REFRESH_LIFE: Final = timedelta(days=30)
"""A sign-in that is not refreshed for this long is over."""
KNOWN_NETWORK_LIFE: Final = timedelta(days=90)
_INNOCENT_ENDS: Final = ("signed_out", "password_changed")
"""Why a sign-in ended that says nothing against where it was made."""
_USER_AGENT_CHARACTERS: Final = 300
_COUNTED_CHARACTERS: Final = 254


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from. `device_of` names the device, if it shows that this person has signed in on it.

    `is_known` says that it shows that somebody has.
    """

    network: str
    user_agent: str | None = None
    device_of: Callable[[int], str | None] = lambda _user_id: None
    is_known: bool = False


def by_password(email: str, password: str, caller: Caller) -> SignIn:
    """Signs in with a password.

    An unknown account costs the same statements and hashes, and gives the same answer, as a wrong password. While the
    password is checked no transaction is open: what the session holds unsaved is lost. Raises Unauthorized
    (`invalid_credentials`, and `account_disabled` only to who knows the password), TooManyRequests, Unavailable.
    """
    refusal = Unauthorized("invalid_credentials", "The e-mail address or the password is wrong.")
    if not caller.is_known:
        passwords.check_queue(caller.network)
    address = _folded(email)
    user_id, stored = _account(address)
    account = limits.Account(address, stored)
    device = caller.device_of(user_id)
    counted = limits.count_login(
        account, caller.network, device=device, knows_network=lambda: has_signed_in_from(user_id, caller.network)
    )
    db.session.rollback()
    try:
        right = passwords.verify(stored, password, caller=caller.network, preferred=device is not None)
        renewed = passwords.hash(password) if right and stored and passwords.needs_rehash(stored) else None
    except (TooManyRequests, Unavailable):
        counted.abandoned()
        raise
    if not right:
        raise refusal
    counted.succeeded()
    with system_scope("who signs in decides the workspace"):
        person = db.session.get(User, user_id)
        if person is None or person.password_hash != stored:
            # Changed while it was being checked.
            raise refusal
        if person.disabled_at is not None:
            raise Unauthorized("account_disabled", "This account has been disabled.")
        if renewed is not None:
            person.password_hash = renewed
        return start(person, caller.user_agent, caller.network)


def _folded(email: str) -> str:
    """The address as it is stored; of what is none, the beginning, without what the database could not be asked."""
    try:
        return addresses.normalized(email)
    except Invalid:
        return email.strip().lower().replace("\0", " ").encode("utf-8", "replace").decode()[:_COUNTED_CHARACTERS]


def _account(address: str) -> tuple[int, str | None]:
    """The person of this address and their password's hash; (0, None) where there is none."""
    query = select(User.id, User.password_hash).where(func.lower(User.email) == address)
    with system_scope("who signs in decides the workspace"):
        row = db.session.execute(query).one_or_none()
    return (0, None) if row is None else (row.id, row.password_hash)


def has_signed_in_from(user_id: int, network: str) -> bool:
    """Whether this person has signed in from this network in the last months, and was not put out for a reason."""
    query = select(SignIn.id).where(
        SignIn.user_id == user_id,
        SignIn.network_hash == _hash_of(network),
        SignIn.refreshed_at > clock.now() - KNOWN_NETWORK_LIFE,
        or_(SignIn.revoked_code.is_(None), SignIn.revoked_code.in_(_INNOCENT_ENDS)),
    )
    with system_scope("who signs in decides the workspace"):
        return db.session.scalar(query.limit(1)) is not None


def _hash_of(network: str) -> bytes:
    return keyring().lookup("sign-in-network", network)


def start(person: User, user_agent: str | None, network: str | None = None) -> SignIn:
    """Stores a new sign-in of this person; of the network only a keyed hash is kept."""
    now = clock.now()
    begun = SignIn(
        workspace_id=person.workspace_id,
        user_id=person.id,
        current_jti=uuid.uuid4().hex,
        created_at=now,
        refreshed_at=now,
        expires_at=now + REFRESH_LIFE,
        user_agent=_shown(user_agent),
        network_hash=_hash_of(network) if network else None,
    )
    with system_scope("who signs in decides the workspace"):
        db.session.add(begun)
        db.session.flush()
    audit.record(of_user(person.id), "sign_in.started", f"sign_in:{begun.id}", person.workspace_id)
    return begun


@dataclass(frozen=True, slots=True)
class Rotation:
    """What came of a refresh token. `reused` means the family has been revoked, which has to be stored."""

    sign_in: SignIn
    reused: bool = False


def rotate(user_id: int, sign_in_id: int, jti: str, network: str | None = None) -> Rotation:
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
        row = db.session.execute(query).one_or_none()
        if row is None:
            raise Unauthorized("token_revoked", "This sign-in has ended; sign in again.")
        family, disabled_at = row
        if family.current_jti != jti:
            if family.revoked_at is None:
                _end(family, "token_reused")
                audit.record(of_user(user_id), "sign_in.token_reused", f"sign_in:{family.id}", family.workspace_id)
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
        if network:
            family.network_hash = _hash_of(network)
        db.session.flush()
    return Rotation(family)


def end(sign_in_id: int, user_id: int) -> None:
    """Ends one sign-in, within its workspace's scope: its access and refresh tokens stop counting."""
    family = db.session.get(SignIn, sign_in_id)
    if family is not None and family.user_id == user_id and family.revoked_at is None:
        _end(family, "signed_out")
        audit.record(of_user(user_id), "sign_in.ended", f"sign_in:{sign_in_id}")


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
