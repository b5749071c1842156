"""Renewing tokens that end: Instagram's own login gives them for sixty days, and renews one that is a day old.

The token before stays good until its end, so a process that dies between the answer and its record loses nothing: the
next one renews again. Of two that renew at once the second finds another token than it renewed and keeps the first's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import select

from backend.channels.errors import ChannelError, SenderDisabled
from backend.channels.graph import setup as graph
from backend.core import clock, failpoints
from backend.core.database import db, system_scope
from backend.core.errors import Conflict
from backend.core.logging import get_logger
from backend.models import ChannelSetup, Sender
from backend.services import senders
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM, Attribution
from backend.services.channel_setup import asking, catalog, checks, states
from backend.services.channel_setup.refusals import clear_errors
from backend.services.senders import webhook_verifier

log = get_logger(__name__)

CLAIM: Final = timedelta(minutes=10)
"""So long nobody else renews a token that somebody has begun to renew."""
_RESTS: Final = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
_WHY: Final = "tokens of every workspace are renewed"

Outcome = Literal["renewed", "kept", "failed"]


def due(most: int = 100) -> list[int]:
    """The integrations whose tokens are to be renewed now. Leaves no transaction open."""
    with system_scope(_WHY):
        rows = db.session.execute(
            select(ChannelSetup.sender_id)
            .join(Sender, Sender.id == ChannelSetup.sender_id)
            .where(ChannelSetup.renew_at <= clock.now(), Sender.deleted_at.is_(None))
            .order_by(ChannelSetup.renew_at)
            .limit(most)
        ).scalars()
        sender_ids = list(rows)
        db.session.rollback()
    return sender_ids


def renew_due(sender_id: int) -> Outcome:
    """Renews one token that is due; `kept` where another process has begun to. Commits."""
    with system_scope(_WHY):
        setup = db.session.execute(
            select(ChannelSetup)
            .where(ChannelSetup.sender_id == sender_id, ChannelSetup.renew_at <= clock.now())
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).scalar_one_or_none()
        sender = senders.by_id(sender_id)
        if setup is None or sender is None:
            db.session.rollback()
            return "kept"
        setup.renew_at = clock.now() + CLAIM
        db.session.commit()
        try:
            outcome = _renew(SYSTEM, sender)
        except ChannelError as error:
            log.warning("token_not_renewed", sender_id=sender_id, code=error.code)
            _note_failure(sender, error)
            outcome = "failed"
        db.session.commit()
    return outcome


def renew(by: Attribution, sender_id: int) -> Outcome:
    """Renews the token of an integration now, because a person asks for it. Commits before the network call.

    Raises NotFound, Conflict(`not_renewable`), and what `refusals.clear_errors` does.
    """
    sender = catalog.get(sender_id)
    if not checks.rules_for(sender).renews:
        raise Conflict("not_renewable", "This integration's token is not renewed from here; give it a new one.")
    with clear_errors():
        try:
            return _renew(by, sender)
        except ChannelError as error:
            _note_failure(sender, error)
            db.session.commit()
            raise


def _renew(by: Attribution, sender: Sender) -> Outcome:
    """Raises one of the five errors."""
    connection = checks.connection_of(sender)
    if connection is None or not connection.rules.renews:
        setup = states.of(sender, lock=True)
        setup.renew_at = None
        return "kept"
    old = connection.credentials.token
    client = asking.api(own_login=True, patient=True, versioned=False).client(old)
    db.session.commit()
    fresh = connection.renew(client)
    failpoints.hit("channel_setup.renewed_not_stored")
    return _store(by, sender, old, fresh)


def _store(by: Attribution, sender: Sender, old: str, fresh: graph.NewToken) -> Outcome:
    now = clock.now()
    with system_scope(_WHY):
        locked = db.session.execute(
            select(Sender).where(Sender.id == sender.id).with_for_update().execution_options(populate_existing=True)
        ).scalar_one()
        if locked.credentials != old or locked.deleted_at is not None:
            # Somebody gave it another token, or renewed it, while this was asked.
            return "kept"
        setup = states.of(sender, lock=True)
        senders.renew_token(locked, fresh.token)
        setup.token_expires_at = now + timedelta(seconds=fresh.seconds)
        setup.renew_at = now + max(timedelta(seconds=fresh.seconds) / 2, states.RENEWABLE_AFTER)
        setup.renewed_at, setup.renew_failures, setup.renew_error = now, 0, None
        setup.check_at = now
        audit.record(by, "integration.token_renewed", f"sender:{sender.id}", sender.workspace_id)
        db.session.flush()
    webhook_verifier.forget()
    return "renewed"


def _note_failure(sender: Sender, error: ChannelError) -> None:
    setup = states.of(sender, lock=True)
    setup.renew_failures = min(setup.renew_failures + 1, 1000)
    setup.renew_error = error.code
    rest = _RESTS[min(setup.renew_failures, len(_RESTS)) - 1]
    # A refused token does not come back by asking again; once a day finds out whether it was a slip.
    setup.renew_at = clock.now() + (_RESTS[-1] if isinstance(error, SenderDisabled) else rest)
    setup.check_at = clock.now()
    with system_scope(_WHY):
        db.session.flush()
