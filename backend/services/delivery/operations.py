"""The open operations of a sent or waiting message: read together, and changed together with what it says.

One statement each. Both name the workspace themselves and compare it with the scope.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.types import SmallInteger, Text

from backend.core import clock
from backend.core.database import UtcDateTime, db, require_scope_of, system_scope
from backend.models import Message
from backend.services import live

# The deliveries are locked: a claim passes over them until we have committed, and then reads what we wrote.
_READ: Final = text(
    """
        SELECT (SELECT jsonb_object_agg(p.part, p.gone_code IS NOT NULL) FROM message_parts p
                 WHERE p.message_id = :message_id AND p.workspace_id = :workspace_id) AS held,
               d.part, d.operation, d.state, d.reason, d.due_at
          FROM (VALUES (1)) AS once
          LEFT JOIN LATERAL (
              SELECT * FROM deliveries WHERE message_id = :message_id AND workspace_id = :workspace_id
               ORDER BY id FOR UPDATE
          ) d ON true
        """
).columns(held=JSONB, due_at=UtcDateTime)
_CHANGE: Final = text(
    """
    WITH changed AS (
        UPDATE messages SET body = CAST(:body AS jsonb), version = :version
         WHERE id = :message_id AND workspace_id = :workspace_id
    ), dropped AS (
        DELETE FROM deliveries d
         USING unnest(:dropped_parts, :dropped_operations) AS x(part, operation)
         WHERE d.message_id = :message_id AND d.workspace_id = :workspace_id AND d.state = 'due'
           AND d.part = x.part AND d.operation = x.operation
    )
    INSERT INTO deliveries (workspace_id, sender_id, conversation_id, message_id, part, operation, chat_key, lane,
                            due_at, expires_at, state, epoch, attempts, reason, at_most_once)
    SELECT :workspace_id, :sender_id, :conversation_id, :message_id, o.part, o.operation, :chat_key, :lane,
           :now, CASE WHEN o.operation = 'send' THEN :send_until ELSE :until END, 'due', 0, 0, 'queued',
           :at_most_once AND o.operation = 'send'
      FROM unnest(:opened_parts, :opened_operations) WITH ORDINALITY AS o(part, operation, place)
     ORDER BY o.place
    ON CONFLICT DO NOTHING
    """
).bindparams(
    bindparam("dropped_parts", type_=ARRAY(SmallInteger)),
    bindparam("dropped_operations", type_=ARRAY(Text)),
    bindparam("opened_parts", type_=ARRAY(SmallInteger)),
    bindparam("opened_operations", type_=ARRAY(Text)),
    bindparam("now", type_=UtcDateTime),
    bindparam("send_until", type_=UtcDateTime),
    bindparam("until", type_=UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An operation that is open: `due` or `sending`, why it waits, and until when (aware UTC)."""

    state: str
    reason: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Operations:
    """What the provider holds of a locked message, and what is still to be done for it."""

    held: dict[int, bool]
    """The parts that the provider was given, and whether each is gone there."""
    waiting: dict[tuple[int, str], Waiting]
    """The open operations by (part, operation), the oldest first."""

    def of_part(self, part: int) -> dict[str, str]:
        """The open operations of a part with their states."""
        return {operation: row.state for (waiting_part, operation), row in self.waiting.items() if waiting_part == part}

    def first_send(self) -> Waiting | None:
        """What the message's first part that is not sent yet waits for."""
        sends = [(part, row) for (part, operation), row in self.waiting.items() if operation == "send"]
        return min(sends, key=lambda send: send[0])[1] if sends else None


@dataclass(slots=True)
class Changes:
    """Operations by (part, operation) that fall away while they are due, and such that are due from now on."""

    dropped: list[tuple[int, str]] = field(default_factory=list)
    opened: list[tuple[int, str]] = field(default_factory=list)


def read(message: Message) -> Operations:
    """The operations of a message that the caller has locked. They are locked until the transaction ends."""
    require_scope_of(message.workspace_id)
    db.session.flush()
    values = {"message_id": message.id, "workspace_id": message.workspace_id}
    with system_scope("SQL as text names the workspace itself, which was compared with the scope"):
        rows = db.session.execute(_READ, values).all()
    held = {int(part): gone for part, gone in (rows[0].held or {}).items()}
    waiting = {
        (row.part, row.operation): Waiting(row.state, row.reason, row.due_at)
        for row in rows
        if row.operation is not None
    }
    return Operations(held, waiting)


def change(
    message: Message,
    body: dict[str, Any],
    changes: Changes,
    *,
    chat_key: int | None,
    life: timedelta,
    send_until: datetime | None = None,
) -> None:
    """Raises the version of a locked message, has it say `body`, and opens and drops operations.

    What is opened expires after `life`, a part that is sent at `send_until` (aware UTC) if there is one. An operation
    that is open already is not opened twice: it says the newest anyway. Live connections hear of it after the commit.
    """
    require_scope_of(message.workspace_id)
    db.session.flush()
    now, version = clock.now(), message.version + 1
    values = {
        "message_id": message.id,
        "workspace_id": message.workspace_id,
        "sender_id": message.sender_id,
        "conversation_id": message.conversation_id,
        "lane": message.lane,
        "at_most_once": message.at_most_once,
        "chat_key": chat_key,
        "body": json.dumps(body, ensure_ascii=False),
        "version": version,
        "now": now,
        "send_until": send_until or now + life,
        "until": now + life,
        "dropped_parts": [part for part, _ in changes.dropped],
        "dropped_operations": [operation for _, operation in changes.dropped],
        "opened_parts": [part for part, _ in changes.opened],
        "opened_operations": [operation for _, operation in changes.opened],
    }
    with system_scope("SQL as text names the workspace itself, which was compared with the scope"):
        db.session.execute(_CHANGE, values)
    set_committed_value(message, "version", version)
    set_committed_value(message, "body", body)
    live.note(message.workspace_id, "messages", message_id=message.id, conversation_id=message.conversation_id)
