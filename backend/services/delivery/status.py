"""What a person is told about a message: its state, why it waits, and when it is tried next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Attempt, Delivery, Message, Sender, SenderLease
from backend.services.delivery.outbox import form_of


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """`reason` is a code: why it is not sent yet, why it never was, or why what was sent is followed no more.
    `left_out` are codes of what had to be left out or put another way. Times are aware UTC."""

    state: str
    reason: str | None
    next_attempt_at: datetime | None
    attempts: int
    external_id: str | None
    error: str | None
    left_out: tuple[str, ...] = ()


def status_of(message: Message) -> MessageStatus:
    """The status of an outbound message the caller was allowed to load."""
    with system_scope("leases and attempts belong to senders, which may serve several workspaces"):
        waiting = db.session.execute(
            select(Delivery)
            .where(Delivery.message_id == message.id, Delivery.operation == "send")
            .order_by(Delivery.part)
            .limit(1)
        ).scalar_one_or_none()
        attempts = db.session.execute(
            select(func.count())
            .select_from(Attempt)
            .where(Attempt.message_id == message.id, Attempt.operation == "send", Attempt.phase == "started")
        ).scalar_one()
        reason, next_at = (message.error or message.gone_code, None) if waiting is None else _why(waiting)
    left_out = form_of(message).left_out
    return MessageStatus(message.state, reason, next_at, attempts, message.external_id, message.error, left_out)


def _why(waiting: Delivery) -> tuple[str, datetime | None]:
    if waiting.state == "sending":
        return "sending", None
    sender = db.session.get(Sender, waiting.sender_id)
    if sender is not None and not sender.is_active:
        return "sender_disabled", None
    lease = db.session.get(SenderLease, waiting.sender_id)
    next_at = waiting.due_at
    if lease is not None and lease.paused_until is not None and lease.paused_until > max(clock.now(), next_at):
        return lease.pause_reason or "paused", lease.paused_until
    return waiting.reason, next_at
