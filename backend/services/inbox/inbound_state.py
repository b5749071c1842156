"""What people's messages change in their conversations: one statement, however many conversations a batch has.

A conversation enters the inbox with its first message. A later one opens it again, ends a snooze, counts as unread,
begins the waiting, and moves the window in which one may answer. What a member does at the same moment is not lost: the
statement goes by the row as it is when it is locked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from backend.channels import registry
from backend.core.database import db, system_scope
from backend.services import live
from backend.services.inbox import assistants

TOPIC: Final = "conversations"
"""The topic of live events about conversations; they name `conversation_id`."""
REMINDER: Final = timedelta(hours=1)
"""So long before a window closes the people who are to answer are told."""
_WHY: Final = "a batch holds messages of several workspaces"


@dataclass(frozen=True, slots=True)
class Window:
    """Until when one may answer (60 seconds taken off), and what opened that."""

    until: datetime
    reason: str


@dataclass(slots=True)
class Inbound:
    """What one conversation received: how many messages, from when to when (the provider's times), the latest one.

    `columns` are further columns of the conversation to be written with it, by name; None leaves one as it is.
    With a `count` of 0 only these are written, and the conversation stays outside of the inbox, or as it is.
    """

    conversation_id: int
    workspace_id: int
    sender_id: int
    channel: str
    count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    last_message_id: int | None = None
    window: Window | None = None
    columns: dict[str, Any] = field(default_factory=dict)

    def add(self, message_id: int, at: datetime, window: Window | None = None) -> None:
        """Counts one more message."""
        self.count += 1
        if self.first_at is None or at < self.first_at:
            self.first_at = at
        if self.last_at is None or at >= self.last_at:
            self.last_at, self.last_message_id = at, message_id
        if window is not None and (self.window is None or window.until > self.window.until):
            self.window = window


def window_of(channel: str, at: datetime, reason: str | None = None) -> Window | None:
    """The window that a message of this moment opens; `reason` is what it came from (`ad_7d`, `comment_7d_once`), None
    for an ordinary message. None where the channel has no window; a reason that it does not know opens an ordinary
    one."""
    reply_window = registry.spec(channel).reply_window
    if reply_window is None:
        return None
    named = reason if reason is not None and reason in reply_window.lengths else reply_window.by_message
    ordinary, until = reply_window.until(at, reply_window.by_message), reply_window.until(at, named)
    return Window(until, named) if until >= ordinary else Window(ordinary, reply_window.by_message)


def write(items: Iterable[Inbound]) -> None:
    """Writes what conversations received, each once, in the caller's transaction. Live connections hear of it."""
    given = sorted(items, key=lambda item: item.conversation_id)
    rows = [_row(item) for item in given if item.count or any(value is not None for value in item.columns.values())]
    if not rows:
        return
    with system_scope(_WHY):
        db.session.execute(_WRITE, {"rows": json.dumps(rows, ensure_ascii=False, separators=(",", ":"))})
    live.note_many(
        live.Note(item.workspace_id, TOPIC, (("conversation_id", item.conversation_id),))
        for item in given
        if item.count
    )


def write_one(item: Inbound, conversation: Any) -> None:
    """The same for one conversation whose row the session holds: it is flushed before and read again afterwards."""
    db.session.flush()
    write([item])
    db.session.refresh(conversation)


COLUMNS: Final[Sequence[str]] = (
    "title",
    "kind",
    "identity_id",
    "last_message_at",
    "last_inbound_at",
    "recent_answers",
)
"""The further columns that may be written with it."""


def _row(item: Inbound) -> dict[str, Any]:
    window = item.window
    fresh = "bot" if item.count and assistants.answers(item.workspace_id, item.sender_id) else "open"
    row: dict[str, Any] = {
        "id": item.conversation_id,
        "count": item.count,
        "fresh": fresh,
        "first_at": _plain(item.first_at),
        "last_at": _plain(item.last_at),
        "message_id": item.last_message_id,
        "until": _plain(window.until) if window else None,
        "reason": window.reason if window else None,
        "remind_at": _plain(window.until - REMINDER) if window else None,
    }
    for name in COLUMNS:
        value = item.columns.get(name)
        row[name] = _plain(value) if isinstance(value, datetime) else value
    return row


def _plain(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


# Rows are locked in the order of their ids, as everybody does who changes several.
_WRITE: Final = text(
    """
    WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS r(
            id bigint, count bigint, fresh text, first_at timestamptz, last_at timestamptz, message_id bigint,
            until timestamptz, reason text, remind_at timestamptz, title text, kind text, identity_id bigint,
            last_message_at timestamptz, last_inbound_at timestamptz, recent_answers jsonb)
    ), locked AS MATERIALIZED (
        SELECT c.id FROM conversations c WHERE c.id IN (SELECT id FROM given) ORDER BY c.id FOR NO KEY UPDATE
    )
    UPDATE conversations c SET
        title = coalesce(g.title, c.title),
        kind = coalesce(g.kind, c.kind),
        identity_id = coalesce(g.identity_id, c.identity_id),
        last_message_at = coalesce(g.last_message_at, c.last_message_at),
        last_inbound_at = greatest(g.last_inbound_at, c.last_inbound_at),
        recent_answers = coalesce(g.recent_answers, c.recent_answers),
        in_inbox = c.in_inbox OR g.count > 0,
        status = CASE
            WHEN g.count = 0 THEN c.status
            WHEN c.status IS NULL OR c.status = 'closed' THEN g.fresh
            WHEN c.status = 'snoozed' THEN CASE WHEN c.status_before = 'bot' THEN 'bot' ELSE 'open' END
            WHEN c.status = 'waiting' THEN 'open'
            ELSE c.status END,
        status_before = CASE WHEN g.count > 0 THEN NULL ELSE c.status_before END,
        snoozed_until = CASE WHEN g.count > 0 THEN NULL ELSE c.snoozed_until END,
        snoozed_until_reply = c.snoozed_until_reply AND g.count = 0,
        unread_count = c.unread_count + g.count,
        waiting_since = CASE WHEN g.count > 0 THEN coalesce(c.waiting_since, g.first_at) ELSE c.waiting_since END,
        first_inbound_at = coalesce(least(c.first_inbound_at, g.first_at), c.first_inbound_at),
        last_activity_at = greatest(c.last_activity_at, g.last_at),
        last_message_id = CASE WHEN g.last_at >= coalesce(c.last_activity_at, '-infinity') THEN g.message_id
                               ELSE c.last_message_id END,
        last_inbound_message_id = coalesce(g.message_id, c.last_inbound_message_id),
        reply_until = greatest(c.reply_until, g.until),
        reply_reason = CASE WHEN g.until >= coalesce(c.reply_until, '-infinity') THEN g.reason
                            ELSE c.reply_reason END,
        remind_at = CASE WHEN g.until >= coalesce(c.reply_until, '-infinity') THEN g.remind_at ELSE c.remind_at END
      FROM given g JOIN locked USING (id)
     WHERE c.id = g.id
    """
)
