"""Sending what waits: each mail is claimed and committed, sent without a transaction, and its outcome committed.

A mail that is claimed is due again after a while. So one whose process died is sent by another.
"""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.core import clock, config, failpoints
from backend.core.backoff import Backoff
from backend.core.database import db, system_scope
from backend.core.egress import smtp
from backend.core.egress.smtp import MailFailed, Server
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Mail
from backend.services import job_history

log = get_logger(__name__)

DEFECT: Final = "internal_error"
CLAIMED: Final = timedelta(minutes=5)
BACKOFF: Final = Backoff(30.0, 1800.0)


def waiting() -> Waiting | bool:
    """Mails that are due; none without a server to send them by."""
    if not config.get().smtp_url:
        return False
    return (select(Mail.id).where(Mail.state == "waiting", Mail.due_at <= clock.now()),)


def drain(turn: Turn) -> int:
    """Sends what is due, one mail at least, until the turn is over.

    Returns how many ended. A server that cannot be used ends the turn: the others would fare no better now.
    """
    settings = config.get()
    if not settings.smtp_url or (claimed := _claim()) is None:
        return 0
    server = smtp.parse(settings.smtp_url, site_url=settings.site_url)
    ended = 0
    try:
        with smtp.session(server) as connection:
            while claimed is not None:
                failed = _transmit(connection, claimed, server)
                ended += _record(claimed, failed)
                if failed is not None and failed.code in (DEFECT, "mail_server_away"):
                    # What state the connection is in is not known.
                    return ended
                if turn.is_over():
                    turn.go_on_later()
                    return ended
                claimed = _claim()
    except MailFailed as error:
        # Raised by connecting alone: the first one is still in hand.
        assert claimed is not None
        ended += _record(claimed, error)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # One whose outcome cannot be recorded is due again after `CLAIMED`; the others are sent meanwhile.
        db.session.rollback()
        log.exception("mail_defect", error=type(error).__name__)
    return ended


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    workspace_id: int
    attempts: int
    expires_at: datetime
    recipient: str
    subject: str
    body: str


def _claim() -> _Claimed | None:
    """Takes the mail that has been due longest, for a while. Commits."""
    now = clock.now()
    with system_scope("one job sends the mails of all workspaces"):
        mail = db.session.scalar(
            select(Mail)
            .where(Mail.state == "waiting", Mail.due_at <= now)
            .order_by(Mail.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if mail is None:
            db.session.rollback()
            return None
        mail.attempts += 1
        mail.due_at = now + CLAIMED
        claimed = _Claimed(
            mail.id,
            mail.workspace_id,
            mail.attempts,
            mail.expires_at,
            mail.recipient or "",
            mail.subject or "",
            mail.body or "",
        )
        db.session.commit()
    return claimed


def _transmit(connection: smtplib.SMTP, claimed: _Claimed, server: Server) -> MailFailed | None:
    """Sends one mail; why it was not sent, or None."""
    try:
        smtp.send(connection, _message(claimed, server))
    except MailFailed as error:
        return error
    except Exception as error:
        # An internal error: noted as a try, so that it is not met again at once, nor for ever.
        log.exception("mail_defect", mail_id=claimed.id, error=type(error).__name__)
        return MailFailed(DEFECT, again=True)
    failpoints.hit("mail.accepted_not_recorded")
    return None


Outcome = Literal["sent", "failed", "waiting"]


def decide(
    failed: MailFailed | None, attempts: int, now: datetime, expires_at: datetime, key: int | None = None
) -> tuple[Outcome, datetime]:
    """What becomes of a mail after a try, and when it is tried again.

    Pauses double from half a minute to half an hour; `key` is the mail's id.
    """
    if failed is None:
        return "sent", now
    pause = BACKOFF.wait(attempts, key)
    if not failed.again or now + pause >= expires_at:
        return "failed", now
    return "waiting", now + pause


def _record(claimed: _Claimed, failed: MailFailed | None) -> int:
    """Notes the outcome of the try, unless another process has tried since. Commits; returns 1 when the mail ended."""
    now = clock.now()
    state, due_at = decide(failed, claimed.attempts, now, claimed.expires_at, claimed.id)
    values: dict[str, object] = {"state": state, "due_at": due_at, "error": failed.code if failed else None}
    if state != "waiting":
        # What it said may open an account, and whom it went to is nobody's business any more.
        values |= {"ended_at": now, "body_encrypted": None, "subject_encrypted": None, "recipient_encrypted": None}
    with system_scope("one job sends the mails of all workspaces"):
        changed = db.session.execute(
            update(Mail)
            .where(Mail.id == claimed.id, Mail.state == "waiting", Mail.attempts == claimed.attempts)
            .values(values)
            .returning(Mail.id)
            .execution_options(synchronize_session=False)
        ).first()
        if changed is not None and failed is not None and state == "failed":
            subject = f"mails:{claimed.id}"
            job_history.record_failure("mail", failed.code, subject, workspace_id=claimed.workspace_id)
        db.session.commit()
    if failed is not None:
        log.warning("mail_not_sent", mail_id=claimed.id, code=failed.code, state=state, attempts=claimed.attempts)
    return int(changed is not None and state != "waiting")


def _message(claimed: _Claimed, server: Server) -> EmailMessage:
    host = urlsplit(config.get().site_url).hostname or "localhost"
    message = EmailMessage()
    try:
        message["From"] = Address("Switchboard", addr_spec=server.sender)
        message["To"] = Address(addr_spec=claimed.recipient)
        message["Subject"] = claimed.subject
    except (ValueError, IndexError):
        raise MailFailed("mail_unsupported", again=False) from None
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<mail-{claimed.id}-{claimed.workspace_id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(claimed.body)
    return message


WORK: Final = register(Work("mails", "background", waiting, drain, pool=BoundedPool("mail", 1, finishes=True)))
