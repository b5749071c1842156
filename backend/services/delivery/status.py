"""What a person is told about a message: its state, why it waits, and when it is tried next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core import clock
from backend.core.database import UtcDateTime, db, system_scope
from backend.models import Message
from backend.services.delivery.outbox import form_of

_STATUSES: Final = (
    text(
        """
        SELECT w.id, d.state, d.reason, d.due_at, s.is_active, l.paused_until, l.pause_reason,
               (SELECT count(*) FROM attempts a
                 WHERE a.message_id = w.id AND a.operation = 'send' AND a.phase = 'started') AS attempts
          FROM unnest(:ids) AS w(id)
          LEFT JOIN LATERAL (SELECT q.sender_id, q.state, q.reason, q.due_at FROM deliveries q
                              WHERE q.message_id = w.id AND q.operation = 'send' ORDER BY q.part LIMIT 1) d ON true
          LEFT JOIN senders s ON s.id = d.sender_id
          LEFT JOIN sender_leases l ON l.sender_id = d.sender_id
        """
    )
    .bindparams(bindparam("ids", type_=ARRAY(BigInteger)))
    .columns(due_at=UtcDateTime, paused_until=UtcDateTime)
)


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
    return statuses_of([message])[0]


def statuses_of(messages: Sequence[Message]) -> list[MessageStatus]:
    """The statuses of outbound messages the caller was allowed to load, in their order, by one statement."""
    if not messages:
        return []
    with system_scope("leases and attempts belong to senders, which may serve several workspaces"):
        db.session.flush()
        rows = db.session.execute(_STATUSES, {"ids": [message.id for message in messages]})
        by_id = {row.id: row for row in rows}
    return [_status(message, by_id[message.id]) for message in messages]


def _status(message: Message, row: Any) -> MessageStatus:
    reason, next_at = (message.error or message.gone_code, None) if row.state is None else _why(row)
    return MessageStatus(
        message.state, reason, next_at, row.attempts, message.external_id, message.error, form_of(message).left_out
    )


def _why(waiting: Any) -> tuple[str, datetime | None]:
    """Why a message's first delivery waits, and until when."""
    if waiting.state == "sending":
        return "sending", None
    if not waiting.is_active:
        return "sender_disabled", None
    if waiting.paused_until is not None and waiting.paused_until > max(clock.now(), waiting.due_at):
        return waiting.pause_reason or "paused", waiting.paused_until
    return waiting.reason, waiting.due_at
