"""The job history of notifications: one entry for each that could not be delivered."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select

from backend.core import events
from backend.core.database import db
from backend.models import Delivery, Message
from backend.services import delivery, job_history

JOB: Final = "notification"
KINDS: Final = ("notification", "test")


def remember(workspace_id: int, code: str, subject: str, started_at: datetime, detail: str | None = None) -> None:
    """Adds an entry to the job history; `subject` names the row it is about as `table:id`."""
    job_history.record_failure(JOB, code, subject, workspace_id=workspace_id, detail=detail, started_at=started_at)


def on_message_failed(message_id: int, code: str) -> None:
    """A message ended as failed; runs in the transaction that records it, in the system scope."""
    message = db.session.get(Message, message_id)
    if message is not None and message.kind in KINDS:
        remember(message.workspace_id, code, f"messages:{message_id}", message.created_at, message.error_detail)


def on_person_disabled(user_id: int) -> None:
    """Somebody may no longer use the workspace: what waits for them is not sent. In the workspace's scope."""
    # By the outbox, which is small; the history has no index for it.
    waiting = db.session.execute(
        select(Message)
        .join(Delivery, Delivery.message_id == Message.id)
        .where(Message.user_id == user_id, Message.state == "queued", Message.kind.in_(KINDS))
        .distinct()
    ).scalars()
    for message in waiting.all():
        delivery.cancel(message, "disabled")


events.subscribe("message_failed", on_message_failed)
events.subscribe("person_disabled", on_person_disabled)
