"""What a person is told about a message: its state, why it waits, and when it is tried next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Protocol

from sqlalchemy import BigInteger, TextualSelect, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from backend.channels.forms import Form
from backend.core import clock
from backend.core.database import UtcDateTime, db, system_scope
from backend.models import Message
from backend.services.delivery import gate

_STATUSES: Final = """
SELECT w.id, d.state, d.reason, d.due_at, {verdict} AS verdict, {until} AS until,
       (SELECT count(*) FROM attempts a
         WHERE a.message_id = w.id AND a.operation = 'send' AND a.phase = 'started') AS attempts
  FROM unnest(:ids) AS w(id)
  LEFT JOIN LATERAL (SELECT q.* FROM deliveries q
                      WHERE q.message_id = w.id AND q.operation = 'send' ORDER BY q.part LIMIT 1) d ON true
  LEFT JOIN senders s ON s.id = d.sender_id
  LEFT JOIN sender_leases l ON l.sender_id = d.sender_id
"""


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
    verdict: gate.Verdict | None = None
    """What the gate has against sending it now."""


class Outbound(Protocol):
    """What a status says of the message's own row: a message, or a row of `STATUS_COLUMNS`."""

    id: Any
    state: Any
    error: Any
    gone_code: Any
    external_id: Any

    @property
    def form(self) -> Any:
        """See `Message.form`."""
        ...


STATUS_COLUMNS: Final = (
    Message.id,
    Message.state,
    Message.error,
    Message.gone_code,
    Message.external_id,
    Message.body["form"].label("form"),
)
"""The columns of a message from which `statuses_of` goes on, for lists that need no more of it."""


def status_of(message: Message) -> MessageStatus:
    """The status of an outbound message the caller was allowed to load."""
    return statuses_of([message])[0]


def statuses_of(messages: Sequence[Outbound]) -> list[MessageStatus]:
    """The statuses of outbound messages the caller was allowed to load, in their order, by one statement."""
    if not messages:
        return []
    with system_scope("leases and attempts belong to senders, which may serve several workspaces"):
        db.session.flush()
        values = {"ids": [message.id for message in messages], "now": clock.now()}
        rows = db.session.execute(_statement(gate.rules()), values).all()
        by_id = {row[0]: row for row in rows}
    return [_status(message, by_id[message.id]) for message in messages]


def _status(message: Outbound, row: Any) -> MessageStatus:
    verdict = _verdict_on(row)
    reason, next_at = (message.error or message.gone_code, None) if row.state is None else _why(row, verdict)
    left_out = () if message.form is None else Form.from_json(message.form).left_out
    return MessageStatus(
        message.state, reason, next_at, row.attempts, message.external_id, message.error, left_out, verdict
    )


def _verdict_on(row: Any) -> gate.Verdict | None:
    """What the gate says of a delivery that waits; nothing where it lets go before the delivery is due."""
    if row.state != "due" or (row.until is not None and row.until <= row.due_at):
        return None
    return gate.read(row.verdict)


def _why(waiting: Any, verdict: gate.Verdict | None) -> tuple[str, datetime | None]:
    """Why a message's first delivery waits, and until when."""
    if waiting.state == "sending":
        return "sending", None
    return (waiting.reason, waiting.due_at) if verdict is None else (verdict.code, waiting.until)


@lru_cache
def _statement(rules: tuple[gate.Rule, ...]) -> TextualSelect:
    sql = _STATUSES.format(verdict=gate.verdict(rules), until=gate.until(rules))
    given = (bindparam("ids", type_=ARRAY(BigInteger)), bindparam("now", type_=UtcDateTime))
    return text(sql).bindparams(*given).columns(due_at=UtcDateTime, until=UtcDateTime)
