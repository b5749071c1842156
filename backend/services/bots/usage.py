"""How much a bot is used, cheaply: every count stops at a thousand, and goes along an index."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core import clock
from backend.core.database import UtcDateTime, db, system_scope

MAX_COUNT: Final = 1000
"""Where counting stops: `1000` means a thousand or more."""

_USAGE: Final = text(
    """
    SELECT w.id,
           (SELECT count(*) FROM (SELECT 1 FROM conversations c WHERE c.sender_id = w.id LIMIT :most) x) AS chats,
           (SELECT count(*) FROM (SELECT 1 FROM telegram_links l WHERE l.sender_id = w.id LIMIT :most) x) AS links,
           (SELECT count(*) FROM (SELECT 1 FROM deliveries d
             WHERE d.sender_id = w.id AND d.state = 'due' LIMIT :most) x) AS waiting,
           (SELECT count(*) FROM (SELECT 1 FROM attempts a
             WHERE a.sender_id = w.id AND a.at > :since AND a.phase = 'started' LIMIT :most) x) AS attempts_24h,
           (SELECT a.at FROM attempts a WHERE a.sender_id = w.id ORDER BY a.at DESC LIMIT 1) AS last_attempt_at
      FROM unnest(:ids) AS w(id)
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)), bindparam("since", type_=UtcDateTime)).columns(
    last_attempt_at=UtcDateTime
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Usage:
    """`chats` it has talked with, `links` of people, operations that are `waiting` and that were tried in the last 24
    hours, and when the last was."""

    chats: int = 0
    links: int = 0
    waiting: int = 0
    attempts_24h: int = 0
    last_attempt_at: datetime | None = None


def of(sender_ids: Collection[int]) -> dict[int, Usage]:
    """The usage of senders that the caller was allowed to load, in one statement."""
    if not sender_ids:
        return {}
    with system_scope("a sender's usage, by its id"):
        rows = db.session.execute(
            _USAGE, {"ids": list(sender_ids), "since": clock.now() - timedelta(hours=24), "most": MAX_COUNT}
        ).all()
    return {row.id: Usage(row.chats, row.links, row.waiting, row.attempts_24h, row.last_attempt_at) for row in rows}
