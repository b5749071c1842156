"""Setting a new password without the old one, by a single-use link."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update

from backend.core import clock, config, i18n, queue
from backend.core.crypto import digest
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, NotFound
from backend.core.work import Turn, Waiting, Work, register
from backend.models import PasswordReset, ResetRequest, User, Workspace
from backend.services import mail
from backend.services.auth import audit, limits, people, sign_in
from backend.services.auth.actor import Actor
from backend.services.auth.attribution import SYSTEM, of_user
from backend.services.auth.registration import password_hash
from backend.services.mail import addresses

LIFE: Final = timedelta(hours=24)

_PAUSE: Final = timedelta(minutes=5)
"""Who has forgotten their password gets one mail in this time, however often they say so."""


@dataclass(frozen=True, slots=True)
class ResetLink:
    """What the person needs; shown once, only its hash is kept. Where it was mailed, nobody else is shown it."""

    link: str | None
    token: str | None
    expires_at: datetime
    mailed: bool = False


def issue(actor: Actor, user_id: int) -> ResetLink:
    """An admin makes a link for somebody of their workspace; an earlier one stops working.

    With a mail server it is mailed to the person, and not shown. Raises NotFound, Forbidden (`owner_required`),
    Conflict (`no_email`: this person cannot sign in by password).
    """
    person = people.get(user_id)
    people.protect_owner(actor, person)
    if person.email is None:
        raise Conflict("no_email", "This person has no e-mail address to sign in with.")
    _void(person.id)
    link = _make(person)
    audit.record(actor.by, "password.reset_issued", f"user:{person.id}")
    return _mail(person, link) if mail.is_configured() else link


def _void(user_id: int) -> None:
    """Every open link of the person stops working."""
    db.session.execute(
        update(PasswordReset)
        .where(PasswordReset.user_id == user_id, PasswordReset.used_at.is_(None))
        .values(used_at=clock.now())
    )


def _make(person: User) -> ResetLink:
    now = clock.now()
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
    return ResetLink(f"{config.get().site_url}/reset-password?token={token}", token, now + LIFE)


def _mail(person: User, reset_link: ResetLink) -> ResetLink:
    """Sends the link to the person's own address; what is returned does not show it."""
    assert person.email is not None, "whoever has no address got no link"
    subject = i18n.text("mail.reset.subject", person.locale)
    body = i18n.text("mail.reset.text", person.locale, name=person.name, link=reset_link.link)
    mail.send(person.email, subject, body, workspace_id=person.workspace_id, kind="password_reset", expires_in=LIFE)
    return ResetLink(None, None, reset_link.expires_at, mailed=True)


def request(email: str) -> None:
    """Stores that somebody has forgotten the password of this account, and wakes the job that answers.

    Whether the account exists is not looked up here: so neither the answer nor the time it takes can say. Beyond a few
    in an hour for one address nothing is stored: those before are answered. Raises Invalid.
    """
    wanted = addresses.normalized(email)
    if not limits.may_reset(wanted):
        return
    asked = ResetRequest(created_at=clock.now())
    asked.email = wanted
    with system_scope("whose address it is decides the workspace"):
        db.session.add(asked)
        db.session.flush()
    queue.wake("background")


def waiting() -> Waiting:
    """Requests that wait to be answered."""
    return (select(ResetRequest.id),)


def answer_requests(turn: Turn) -> int:
    """Answers the requests that wait: those for an account that exists. Commits after each; returns how many.

    The workspace's audit shows the request to its admins, who can make a link. With a mail server the person gets one
    by mail. A request and its answer are one transaction: a process that dies leaves it to the next.
    """
    answered = 0
    while _answer_next():
        answered += 1
        if turn.is_over():
            turn.go_on_later()
            break
    return answered


def _answer_next() -> bool:
    with system_scope("one job answers for all workspaces"):
        asked = db.session.scalar(
            select(ResetRequest).order_by(ResetRequest.id).limit(1).with_for_update(skip_locked=True)
        )
        if asked is None:
            db.session.rollback()
            return False
        fresh = asked.created_at > clock.now() - LIFE
        wanted = asked.email if fresh else None
        db.session.delete(asked)
        person = db.session.scalar(select(User).where(func.lower(User.email) == wanted, User.disabled_at.is_(None)))
        if person is not None:
            audit.record(SYSTEM, "password.reset_requested", f"user:{person.id}", person.workspace_id)
        db.session.flush()
    if person is not None and mail.is_configured():
        with workspace_scope(person.workspace_id):
            _mail_once(person)
    with system_scope("one job answers for all workspaces"):
        db.session.commit()
    return True


def _mail_once(person: User) -> None:
    """A link for who asked for it, unless one is on its way. Earlier links go on working: others may ask as well."""
    recent = select(PasswordReset.id).where(
        PasswordReset.user_id == person.id,
        PasswordReset.used_at.is_(None),
        PasswordReset.created_at > clock.now() - _PAUSE,
    )
    if db.session.scalar(recent.limit(1)) is None:
        _mail(person, _make(person))
        db.session.flush()


def confirm(token: str, password: str, *, network: str | None = None) -> int:
    """Sets the password and ends all of the person's sign-ins; returns whose it was.

    The link is looked up before anything is hashed, and no transaction is open while that is done: what the session
    holds unsaved is lost. Raises NotFound for an unknown, used or expired token (of two at once one wins); Invalid,
    which burns nothing; TooManyRequests, Unavailable.
    """
    now = clock.now()
    in_force = (
        PasswordReset.token_hash == digest(token), PasswordReset.used_at.is_(None), PasswordReset.expires_at > now
    )  # fmt: skip
    link_of = (
        select(User.id, User.email, User.name, Workspace.name)
        .join(PasswordReset, (PasswordReset.user_id == User.id) & (PasswordReset.workspace_id == User.workspace_id))
        .join(Workspace, Workspace.id == User.workspace_id)
        .where(*in_force, User.disabled_at.is_(None))
    )
    unknown = NotFound("reset_token_unknown", "This link is unknown, used or expired; ask for a new one.")
    with system_scope("whose token it is decides the workspace"):
        known = db.session.execute(link_of).one_or_none()
        db.session.rollback()
    if known is None:
        raise unknown
    hashed = password_hash(password, known=[word for word in known[1:] if word], caller=network)
    with system_scope("whose token it is decides the workspace"):
        row = db.session.execute(
            update(PasswordReset)
            .where(*in_force)
            .values(used_at=now)
            .returning(PasswordReset.user_id, PasswordReset.workspace_id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
    if row is None:
        raise unknown
    with workspace_scope(row.workspace_id):
        person = people.get(row.user_id)
        if person.disabled_at is not None:
            raise unknown
        _void(person.id)
        set_password(person, hashed)
        audit.record(of_user(person.id), "password.reset", f"user:{person.id}")
    return person.id


def set_password(person: User, hashed: str) -> None:
    """Stores a new password's hash and ends all sign-ins, within the workspace's scope.

    Failed logins count against the hash they were tried on, so none of them refuses anybody any more.
    """
    person.password_hash = hashed
    sign_in.end_all(person.id, "password_reset")
    db.session.flush()


WORK: Final = register(Work("password_resets", "background", waiting, answer_requests))
