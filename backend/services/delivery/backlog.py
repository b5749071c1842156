"""Slots: a chat with more waiting than its pace allows gets a moment for each row, once, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from backend.core.database import UtcDateTime
from backend.services.delivery.pacing import ChatPace, slots

REASON = "chat_pace"


def _big(name: str) -> Any:
    return bindparam(name, type_=ARRAY(BigInteger))


_WAITING = text(
    """
    SELECT id, chat_key, lane FROM deliveries
     WHERE chat_key = ANY(:chats) AND state = 'due' AND due_at <= :now
     ORDER BY chat_key, lane, due_at, id
       FOR UPDATE SKIP LOCKED
    """
).bindparams(_big("chats"))

_LAST_SLOT = text(
    """
    SELECT max(due_at) FROM deliveries
     WHERE chat_key = :chat AND state = 'due' AND reason = :reason AND lane <= :lane AND due_at > :now
    """
)

_ASSIGN = text(
    """
    UPDATE deliveries d SET due_at = w.due_at, reason = :reason
      FROM unnest(:ids, :moments) AS w(id, due_at)
     WHERE d.id = w.id AND d.state = 'due'
    """
).bindparams(_big("ids"), bindparam("moments", type_=ARRAY(UtcDateTime)))


def assign_slots(connection: Connection, chats: Mapping[int, ChatPace], moment: float, now: datetime) -> int:
    """Gives every due row of these chats a later `due_at` that keeps the chat's pace; returns how many rows.

    Rows keep their order by lane and time, and come after slots that were given before in the same or a higher lane.
    """
    rows = connection.execute(_WAITING, {"chats": list(chats), "now": now}).all()
    ids: list[int] = []
    moments: list[datetime] = []
    for chat_key in {row.chat_key for row in rows}:
        waiting = [row for row in rows if row.chat_key == chat_key]
        pace = chats[chat_key]
        last = connection.execute(
            _LAST_SLOT, {"chat": chat_key, "reason": REASON, "lane": max(row.lane for row in waiting), "now": now}
        ).scalar()
        start = pace.opens(moment)
        history = list(pace.history)
        if last is not None:
            taken = moment + (last - now).total_seconds()
            history.append(taken)
            start = max(start, taken)
        for row, slot in zip(waiting, slots(history, pace.rates, start, len(waiting)), strict=True):
            ids.append(row.id)
            moments.append(now + timedelta(seconds=slot - moment))
    if ids:
        connection.execute(_ASSIGN, {"ids": ids, "moments": moments, "reason": REASON})
    return len(ids)
