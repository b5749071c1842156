"""Storing mails with the cause they are sent for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from backend.core import clock, config, i18n, queue
from backend.core.database import db, workspace_scope
from backend.models import Mail, User
from backend.models.user import ADMIN
from backend.services.mail import addresses

LIFE: Final = timedelta(hours=24)
MAX_SUBJECT: Final = 200
MAX_TEXT: Final = 100_000
_MAX_ADMINS: Final = 50


def is_configured() -> bool:
    """Whether mail can be sent at all."""
    return bool(config.get().smtp_url)


def send(
    to: str,
    subject: str,
    text: str,
    *,
    workspace_id: int,
    kind: str = "notice",
    key: str | None = None,
    expires_in: timedelta = LIFE,
) -> Mail | None:
    """Stores a mail in the caller's transaction; a job sends it after the commit, and tries again for `expires_in`.

    The same `key` in a workspace returns the first mail. None where mail is not configured. Raises Invalid for what is
    no address. Sent at least once: a crash right after the server took it may send it again, with the same Message-ID.
    """
    address = addresses.normalized(to)
    if not is_configured():
        return None
    with workspace_scope(workspace_id):
        if key is not None:
            existing = db.session.scalar(select(Mail).where(Mail.key == key))
            if existing is not None:
                return existing
        now = clock.now()
        mail = Mail(
            workspace_id=workspace_id,
            key=key,
            kind=kind,
            state="waiting",
            attempts=0,
            due_at=now,
            expires_at=now + expires_in,
            created_at=now,
        )
        mail.recipient = address
        # A line break in a header would begin another header.
        mail.subject = " ".join(subject.split())[:MAX_SUBJECT]
        mail.body = text[:MAX_TEXT]
        db.session.add(mail)
        db.session.flush()
    queue.wake("background")
    return mail


def to_admins(workspace_id: int, subject: str, text: str, *, kind: str = "alert", key: str | None = None) -> int:
    """Mails every admin of the workspace who has an address; returns how many. 0 where mail is not configured."""
    return _to_each(workspace_id, lambda _locale: (subject, text), kind, key)


def notify_admins(workspace_id: int, text_key: str, *, key: str | None = None, **values: object) -> int:
    """Mails every admin the texts `mail.<text_key>.subject` and `mail.<text_key>.text`, in their own languages."""

    def texts_in(locale: str) -> tuple[str, str]:
        return (
            i18n.text(f"mail.{text_key}.subject", locale, **values),
            i18n.text(f"mail.{text_key}.text", locale, **values),
        )

    return _to_each(workspace_id, texts_in, text_key, key)


def _to_each(workspace_id: int, texts_in: Callable[[str], tuple[str, str]], kind: str, key: str | None) -> int:
    if not is_configured():
        return 0
    admins = (
        select(User.id, User.email, User.locale)
        .where(User.role == ADMIN, User.email.is_not(None), User.disabled_at.is_(None))
        .order_by(User.id)
        .limit(_MAX_ADMINS)
    )
    with workspace_scope(workspace_id):
        recipients = db.session.execute(admins).all()
    for user_id, address, locale in recipients:
        assert address is not None, "the query says so"
        own_key = f"{key}:{user_id}" if key is not None else None
        subject, text = texts_in(locale)
        send(address, subject, text, workspace_id=workspace_id, kind=kind, key=own_key)
    return len(recipients)
