"""The job that makes the checks of every integration again, renews tokens, and reads templates.

Each integration is claimed by moving on when it is due, so that two processes do not ask for the same one; a process
that dies leaves it due again after the claim.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.models import ChannelSetup, Sender
from backend.services import senders
from backend.services.auth.attribution import SYSTEM
from backend.services.channel_setup import checks, renewal, states, templates
from backend.services.scheduling import JobTurn, SystemJob, Timing, register_system_job

log = get_logger(__name__)

EVERY: Final = timedelta(minutes=5)
TEMPLATES_EVERY: Final = timedelta(hours=24)
_CLAIM: Final = timedelta(minutes=10)
_MAX: Final = 500
_WHY: Final = "the checks serve every workspace"


def run(turn: JobTurn) -> int:
    """Renews the tokens that are due and makes the checks that are, until the turn is over; returns how many
    integrations. Commits after each; what is left is first in the next turn."""
    with system_scope(_WHY):
        states.make_missing()
        db.session.commit()
    done = 0
    for sender_id in renewal.due():
        if turn.is_over():
            turn.go_on_later()
            return done
        turn.at = f"sender:{sender_id}"
        renewal.renew_due(sender_id)
        done += 1
    for sender_id in _due():
        if turn.is_over():
            turn.go_on_later()
            break
        turn.at = f"sender:{sender_id}"
        done += check_due(sender_id)
    return done


def check_due(sender_id: int) -> bool:
    """Makes the checks of one integration that is due; False where another process does, or it is gone."""
    with system_scope(_WHY):
        setup = db.session.execute(
            select(ChannelSetup)
            .where(ChannelSetup.sender_id == sender_id, ChannelSetup.check_at <= clock.now())
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).scalar_one_or_none()
        sender = senders.by_id(sender_id)
        if setup is None or sender is None:
            db.session.rollback()
            return False
        setup.check_at = clock.now() + _CLAIM
        is_stale = setup.templates_at is None or setup.templates_at < clock.now() - TEMPLATES_EVERY
        workspace_id = sender.workspace_id
        db.session.commit()
        checklist = checks.check(sender)
        db.session.commit()
    if checklist.asked and is_stale and sender.channel == "whatsapp" and workspace_id is not None:
        _refresh_templates(workspace_id, sender_id)
    return True


def _refresh_templates(workspace_id: int, sender_id: int) -> None:
    try:
        with workspace_scope(workspace_id):
            templates.refresh(SYSTEM, sender_id)
            db.session.commit()
    except AppError as error:
        # They are read with the next checks; what they would need is among what the checks found.
        db.session.rollback()
        log.info("templates_not_read", sender_id=sender_id, code=error.code)


def _due() -> list[int]:
    with system_scope(_WHY):
        rows = db.session.execute(
            select(ChannelSetup.sender_id)
            .join(Sender, Sender.id == ChannelSetup.sender_id)
            .where(
                ChannelSetup.check_at <= clock.now(),
                Sender.deleted_at.is_(None),
                Sender.disabled_code.is_distinct_from(senders.NOT_CONFIGURED),
            )
            .order_by(ChannelSetup.check_at)
            .limit(_MAX)
        ).scalars()
        sender_ids = list(rows)
        db.session.rollback()
    return sender_ids


JOB = register_system_job(
    SystemJob(
        "channel_checks",
        "background",
        Timing("interval", interval_seconds=int(EVERY.total_seconds())),
        run,
        pool=BoundedPool("channel-checks", 1),
    )
)
