"""Whether a sender works: switched off when its provider refuses the credentials, on again when it takes them.

`is_active` false with a `disabled_code` was the product's doing; without a code a person switched the sender off, and
only a person switches it on again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from backend.core import clock, config
from backend.core.database import db
from backend.core.logging import get_logger
from backend.models import Sender, SenderLease
from backend.services import job_history, mail
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM

log = get_logger(__name__)

NOT_CONFIGURED: Final = "not_configured"
"""The environment no longer names a token."""
REFUSED: Final = frozenset({"token_refused", "token_unknown", "token_malformed", "logged_out"})
"""Codes by which a provider says that it does not accept the credentials."""

LONG_PAUSE: Final = timedelta(minutes=5)
"""What waits longer than this for its sender should reach people in another way."""


def long_pause_of(sender_id: int) -> str | None:
    """Why a sender rests for longer than `LONG_PAUSE` from now on, as its provider asked; None where it does not."""
    lease = db.session.get(SenderLease, sender_id, populate_existing=True)
    if lease is None or lease.paused_until is None or lease.paused_until <= clock.now() + LONG_PAUSE:
        return None
    return lease.pause_reason or "rate_limited"


def disable(sender: Sender, code: str) -> None:
    """Stops a sender whose provider refuses it, and tells the admins by mail, the audit and the job history.

    The provider cannot be asked to carry that news: it has just refused. Once disabled, nothing is said again.
    """
    if sender.disabled_code == code and not sender.is_active:
        return
    now = clock.now()
    sender.is_active, sender.disabled_code, sender.disabled_at = False, code, now
    subject = f"sender:{sender.id}"
    audit.record(SYSTEM, "sender.disabled", subject, sender.workspace_id, code=code, name=sender.name)
    if code != NOT_CONFIGURED:
        job_history.record_failure(
            "sender_disabled",
            code,
            subject,
            workspace_id=sender.workspace_id,
            detail=f"{sender.name}: the provider no longer accepts its token; set a new one",
        )
    db.session.flush()
    if code != NOT_CONFIGURED and sender.workspace_id is not None:
        mail.notify_admins(
            sender.workspace_id, "bot_disabled", name=sender.name, reason=code, site=config.get().site_url
        )
    log.warning("sender_disabled", sender_id=sender.id, code=code)


def enable(sender: Sender, why: str) -> None:
    """Lets a sender work again that the product had disabled; one that a person switched off stays off."""
    if sender.disabled_code is None:
        return
    code, sender.disabled_code, sender.disabled_at = sender.disabled_code, None, None
    sender.is_active = True
    audit.record(SYSTEM, "sender.enabled", f"sender:{sender.id}", sender.workspace_id, was=code, why=why)
    db.session.flush()
