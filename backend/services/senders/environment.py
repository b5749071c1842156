"""The default bot: the one that the environment names, which links and notifies people of every workspace."""

from __future__ import annotations

from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.exc import IntegrityError

from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.models import Sender, Workspace
from backend.services.senders.access import CHANNEL
from backend.services.senders.credentials import set_token, token_hash
from backend.services.senders.state import NOT_CONFIGURED, disable, enable

NAME: Final = "default"
IS_DEFAULT_BOT: Final = and_(Sender.source == "environment", Sender.channel == CHANNEL)
"""What the default bot's row is found by, for statements that read it with something else."""
_DEFAULT_BOT_ROW: Final = select(Sender).where(IS_DEFAULT_BOT)
_WHY = "the default bot serves every workspace"


def default_bot() -> Sender | None:
    """The default bot's row; None where the environment names no bot.

    A row that is not in step with the environment is brought there first, in the caller's transaction, so that the
    first request of a new instance already finds it. It may be inactive: its provider refused the token.
    """
    with system_scope(_WHY):
        return default_bot_of(_row())


def default_bot_of(row: Sender | None) -> Sender | None:
    """The default bot, given the row that `IS_DEFAULT_BOT` finds; see `default_bot`."""
    token = config.get().telegram_bot_token
    with system_scope(_WHY):
        if token and (row is None or row.credentials_hash != token_hash(token)):
            row = ensure_environment_bot()
    return None if row is None or row.disabled_code == NOT_CONFIGURED else row


def ensure_environment_bot() -> Sender | None:
    """Brings the default bot's row in step with `TELEGRAM_BOT_TOKEN`, in the caller's transaction.

    Makes it once, also when several processes start together; a changed token goes into the same row; where the token
    is gone, the row stays and is switched off. It belongs to the instance's first workspace as soon as there is one.
    """
    token = config.get().telegram_bot_token
    with system_scope(_WHY):
        row = _row(lock=True)
        if not token:
            if row is not None and row.disabled_code != NOT_CONFIGURED:
                disable(row, NOT_CONFIGURED)
            return None
        row = row or _make(token)
        set_token(row, token)
        if row.disabled_code == NOT_CONFIGURED:
            enable(row, "configured")
        if row.workspace_id is None:
            row.workspace_id = db.session.execute(select(Workspace.id).order_by(Workspace.id).limit(1)).scalar()
        db.session.flush()
        return row


def _row(*, lock: bool = False) -> Sender | None:
    query = _DEFAULT_BOT_ROW
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return db.session.execute(query).scalar_one_or_none()


def _make(token: str) -> Sender:
    row = Sender(channel=CHANNEL, source="environment", name=NAME, is_active=True, facts={}, created_at=clock.now())
    try:
        with db.session.begin_nested():
            set_token(row, token)
            db.session.add(row)
    except IntegrityError:
        # Another process that starts at the same moment was first.
        existing = _row(lock=True)
        if existing is None:
            raise
        return existing
    return row
