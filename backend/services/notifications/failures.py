"""The job history of notifications: one entry for each that could not be delivered."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select

from backend.core import events
from backend.core.database import db
from backend.models import Delivery, Message
from backend.services import delivery, job_history
from backend.services.auth.events import PersonDisabled
from backend.services.delivery.events import MessageFailed

JOB: Final = "notification"
KINDS: Final = ("notification", "test")


def remember(workspace_id: int, code: str, subject: str, started_at: datetime, detail: str | None = None) -> None:
    """Adds an entry to the job history; `subject` names the row it is about as `table:id`."""
    job_history.record_failure(JOB, code, subject, workspace_id=workspace_id, detail=detail, started_at=started_at)


def on_message_failed(event: MessageFailed) -> None:
    """A message ended as failed; runs in the transaction that records it, in the system scope."""
    message = db.session.get(Message, event.message_id)
    if message is not None and message.kind in KINDS:
        remember(
            message.workspace_id, event.code, f"messages:{event.message_id}", message.created_at, message.error_detail
        )


def on_person_disabled(event: PersonDisabled) -> None:
    """Somebody may no longer use the workspace: what waits for them is not sent. In the workspace's scope."""
    # By the outbox, which is small; the history has no index for it.
    waiting = db.session.execute(
        select(Message)
        .join(Delivery, Delivery.message_id == Message.id)
        .where(Message.user_id == event.user_id, Message.state == "queued", Message.kind.in_(KINDS))
        .distinct()
    ).scalars()
    for message in waiting.all():
        delivery.cancel(message, "disabled")


events.subscribe(MessageFailed, on_message_failed)
events.subscribe(PersonDisabled, on_person_disabled)
