"""Noting what changed: kept with the session, and written in one statement when its transaction commits.

What names a `conversation_id` goes to those who may see that conversation, by the same rule as
`services.conversations.visibility`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Text, bindparam, event, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import SessionTransaction

from backend.core import clock, queue
from backend.core.database import TenantSession, UtcDateTime, db, system_scope

TOPIC: Final = re.compile(r"[a-z][a-z_]{0,39}")
_NOTED: Final = "live_events"

_INSERT = text(
    """
    INSERT INTO live_events (workspace_id, topic, only_for, ids, at)
    SELECT n.workspace_id, n.topic, coalesce(n.only_for, a.user_id), n.ids::jsonb, :now
      FROM unnest(:workspace_ids, :topics, :only_for, :ids, :conversations)
           WITH ORDINALITY AS n(workspace_id, topic, only_for, ids, conversation_id, place)
      LEFT JOIN conversations c ON c.id = n.conversation_id AND c.visibility <> 'workspace'
      LEFT JOIN LATERAL (
           SELECT c.owner_user_id AS user_id WHERE c.owner_user_id IS NOT NULL
            UNION
           SELECT s.user_id FROM conversation_shares s WHERE s.conversation_id = c.id AND c.visibility = 'people'
      ) a ON c.id IS NOT NULL
     WHERE c.id IS NULL OR (a.user_id IS NOT NULL AND coalesce(n.only_for, a.user_id) = a.user_id)
     ORDER BY n.place
    """
).bindparams(
    bindparam("workspace_ids", type_=ARRAY(BigInteger)),
    bindparam("topics", type_=ARRAY(Text)),
    bindparam("only_for", type_=ARRAY(BigInteger)),
    bindparam("ids", type_=ARRAY(Text)),
    bindparam("conversations", type_=ARRAY(BigInteger)),
    bindparam("now", type_=UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class Note:
    """Something of a workspace has changed: of which topic, and its ids."""

    workspace_id: int
    topic: str
    ids: tuple[tuple[str, int], ...]
    only_for: int | None = None


def note(workspace_id: int, topic: str, *, only_for: int | None = None, **ids: int | None) -> None:
    """Tells the workspace's live connections, once the present transaction has committed, that something changed.

    `ids` name what changed (`message_id=7`); None is left out. With `only_for` only that person hears of it. It costs
    no statement here: all notes of a transaction are written in one when it commits, equal ones once. Of a savepoint
    that is rolled back they stay, which costs a client a look in vain. Raises ValueError for a topic that is no name.
    """
    if TOPIC.fullmatch(topic) is None:
        raise ValueError(f"{topic!r} is no topic")
    named = tuple((name, int(value)) for name, value in ids.items() if value is not None)
    note_many([Note(workspace_id, topic, named, only_for)])


def note_many(notes: Iterable[Note]) -> None:
    """The same for many at once, for transactions that settle a batch."""
    session = db.session()
    if not session.in_transaction():
        # A rollback is only told of a transaction that has begun.
        session.begin()
    session.info.setdefault(_NOTED, {}).update(dict.fromkeys(notes))


@event.listens_for(TenantSession, "before_commit")
def _write(session: TenantSession) -> None:
    # Also called when a savepoint is released: everything is written at the end, in one statement.
    if session.in_nested_transaction():
        return
    # What is flushed by the commit itself may be noted as well.
    session.flush()
    if not session.info.get(_NOTED):
        return
    notes: list[Note] = list(session.info.pop(_NOTED))
    values: dict[str, Any] = {
        "workspace_ids": [note.workspace_id for note in notes],
        "topics": [note.topic for note in notes],
        "only_for": [note.only_for for note in notes],
        "ids": [json.dumps(dict(note.ids), separators=(",", ":")) for note in notes],
        "conversations": [
            next((value for name, value in note.ids if name == "conversation_id"), None) for note in notes
        ],
        "now": clock.now(),
    }
    with system_scope("a transaction may have changed things of several workspaces"):
        session.execute(_INSERT, values)
    queue.announce()


@event.listens_for(TenantSession, "after_soft_rollback")
def _forget(session: TenantSession, ended: SessionTransaction) -> None:
    if not ended.nested:
        session.info.pop(_NOTED, None)
