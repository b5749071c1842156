"""Storing a new outbound message with its key and its deliveries, by one statement."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from backend.core.database import db, require_scope_of, system_scope
from backend.models import Conversation, Message
from backend.services import live

_STORE: Final = text(
    """
    WITH message AS (
        INSERT INTO messages (workspace_id, conversation_id, sender_id, direction, kind, lane, state, error,
                              at_most_once, body, reply_to, user_id, created_at, via, author_user_id, happened_at)
        SELECT :workspace_id, :conversation_id, :sender_id, 'out', :kind, :lane, :state, CAST(:error AS text),
               :at_most_once, CAST(:body AS jsonb), CAST(:reply_to AS text), CAST(:user_id AS bigint),
               CAST(:now AS timestamptz), CAST(:via AS text), CAST(:author_user_id AS bigint),
               CAST(:happened_at AS timestamptz)
         WHERE CAST(:key AS text) IS NULL
            OR NOT EXISTS (SELECT FROM message_keys k WHERE k.workspace_id = :workspace_id AND k.key = :key)
        RETURNING id
    ), taken AS (
        INSERT INTO message_keys (workspace_id, key, message_id, created_at)
        SELECT :workspace_id, :key, id, CAST(:now AS timestamptz) FROM message WHERE CAST(:key AS text) IS NOT NULL
        ON CONFLICT DO NOTHING
        RETURNING message_id
    ), stored AS (
        SELECT id FROM message WHERE CAST(:key AS text) IS NULL OR EXISTS (SELECT FROM taken)
    ), opened AS (
        INSERT INTO deliveries (workspace_id, sender_id, conversation_id, message_id, part, operation, chat_key, lane,
                                due_at, expires_at, state, epoch, attempts, reason, at_most_once)
        SELECT :workspace_id, :sender_id, :conversation_id, stored.id, p.part, 'send', :chat_key, :lane,
               CAST(:due_at AS timestamptz), CAST(:expires_at AS timestamptz), 'due', 0, 0, :reason, :at_most_once
          FROM stored, generate_series(0, :parts - 1) AS p(part)
         ORDER BY p.part
    ), said AS (
        UPDATE conversations c SET last_message_at = CAST(:now AS timestamptz)
          FROM stored WHERE c.id = :conversation_id AND c.workspace_id = :workspace_id AND :parts > 0
    )
    SELECT (SELECT id FROM message) AS message_id, (SELECT id FROM stored) AS stored_id
    """
)
_DELETE: Final = text("DELETE FROM messages WHERE id = :id")
_COLUMNS: Final = tuple(column.key for column in Message.__mapper__.column_attrs)


def store(
    conversation: Conversation,
    values: dict[str, Any],
    *,
    key: str | None,
    due_at: datetime,
    expires_at: datetime | None,
    reason: str,
) -> Message | None:
    """Stores a message with these columns, and a delivery for each of its parts unless it is canceled.

    None where the workspace has a message under the key already, also one that another transaction stores at this
    moment, which is waited for. Live connections hear of it after the commit.
    """
    require_scope_of(conversation.workspace_id)
    now: datetime = values["created_at"]
    is_sent = values["state"] == "queued"
    parameters = values | {
        "workspace_id": conversation.workspace_id,
        "conversation_id": conversation.id,
        "sender_id": conversation.sender_id,
        "chat_key": conversation.chat_key,
        "body": json.dumps(values["body"], ensure_ascii=False),
        "now": now,
        "key": key,
        "due_at": due_at,
        "expires_at": expires_at,
        "reason": reason,
        "parts": len(values["body"]["parts"]) if is_sent else 0,
    }
    db.session.flush()
    with system_scope("SQL as text names the workspace itself, which was compared with the scope"):
        row = db.session.execute(_STORE, parameters).one()
        if row.stored_id is None:
            if row.message_id is not None:
                db.session.execute(_DELETE, {"id": row.message_id})
            return None
    if is_sent:
        set_committed_value(conversation, "last_message_at", now)
    return _loaded(conversation, row.message_id, values)


def _loaded(conversation: Conversation, message_id: int, values: dict[str, Any]) -> Message:
    """The message as if the session had read it."""
    columns = dict.fromkeys(_COLUMNS) | values
    columns |= {"id": message_id, "workspace_id": conversation.workspace_id, "conversation_id": conversation.id}
    columns |= {"sender_id": conversation.sender_id, "direction": "out", "version": 1}
    message = Message(**columns)
    make_transient_to_detached(message)
    db.session.add(message)
    live.note(conversation.workspace_id, "messages", message_id=message_id, conversation_id=conversation.id)
    return message
