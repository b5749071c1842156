"""The senders that the environment names, one a channel: they serve people of every workspace."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, select
from sqlalchemy.exc import IntegrityError

from backend.channels import registry
from backend.channels.spec import EnvironmentSender
from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.models import Sender, Workspace
from backend.services.senders.credentials import set_token, token_hash
from backend.services.senders.state import NOT_CONFIGURED, disable, enable

NAME: Final = "default"
_WHY = "the environment's senders serve the instance"


def is_environment_sender(channel: str) -> ColumnElement[bool]:
    """What the row of the environment's sender is found by, for statements that read it with something else."""
    return and_(Sender.source == "environment", Sender.channel == channel)


def environment_sender(channel: str) -> Sender | None:
    """The row of the environment's sender of this channel; None where the environment names none.

    A row that is not in step with the environment is brought there first, in the caller's transaction, so that the
    first request of a new instance already finds it. It may be inactive: its provider refused the token.
    """
    with system_scope(_WHY):
        return _in_step(channel, _row(channel))


def environment_sender_of(channel: str, row: Sender | None) -> Sender | None:
    """The environment's sender, given the row that `is_environment_sender` finds; see `environment_sender`."""
    with system_scope(_WHY):
        return _in_step(channel, row)


def _in_step(channel: str, row: Sender | None) -> Sender | None:
    declared = registry.spec(channel).environment(config.get())
    if declared is not None and (row is None or not _is_in_step(row, declared)):
        row = _ensure(channel)
    return None if row is None or row.disabled_code == NOT_CONFIGURED else row


def ensure_environment_sender(channel: str) -> Sender | None:
    """Brings one channel's row in step with its variables; see `ensure_environment_senders`."""
    with system_scope(_WHY):
        return _ensure(channel)


def ensure_environment_senders() -> None:
    """Brings the environment's senders in step with their variables, in the caller's transaction.

    Makes each once, also when several processes start together; a changed token goes into the same row; where the token
    is gone, the row stays and is switched off. They belong to the instance's first workspace as soon as there is one.
    """
    with system_scope(_WHY):
        for spec in registry.specs():
            _ensure(spec.name)


def _ensure(channel: str) -> Sender | None:
    declared = registry.spec(channel).environment(config.get())
    row = _row(channel, lock=True)
    if declared is None:
        if row is not None and row.disabled_code != NOT_CONFIGURED:
            disable(row, NOT_CONFIGURED)
        return None
    row = row or _make(channel, declared)
    set_token(row, declared.token)
    if declared.external_id is not None:
        row.external_id = declared.external_id
    if row.disabled_code == NOT_CONFIGURED:
        enable(row, "configured")
    if row.workspace_id is None:
        row.workspace_id = db.session.execute(select(Workspace.id).order_by(Workspace.id).limit(1)).scalar()
    db.session.flush()
    return row


def _is_in_step(row: Sender, declared: EnvironmentSender) -> bool:
    return row.credentials_hash == token_hash(declared.token) and declared.external_id in (None, row.external_id)


# Built once: it is asked for at nearly every request.
_ROW: Final = select(Sender).where(Sender.source == "environment", Sender.channel == bindparam("channel"))


def _row(channel: str, *, lock: bool = False) -> Sender | None:
    query = _ROW
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return db.session.execute(query, {"channel": channel}).scalar_one_or_none()


def _make(channel: str, declared: EnvironmentSender) -> Sender:
    row = Sender(channel=channel, source="environment", name=NAME, is_active=True, facts={}, created_at=clock.now())
    try:
        with db.session.begin_nested():
            set_token(row, declared.token)
            db.session.add(row)
    except IntegrityError:
        # Another process that starts at the same moment was first.
        existing = _row(channel, lock=True)
        if existing is None:
            raise
        return existing
    return row
