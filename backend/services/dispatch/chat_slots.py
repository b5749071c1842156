"""Slots: a chat with more waiting than its pace allows gets a moment for each row, once, with the reason.

Higher lanes get the earlier moments: a reply never waits behind a chat's bulk. A row gets a moment once; when the chat
is slower than that, its rows wait in line, due, until it opens. At most `_MAX` rows of a chat are given moments at a
time; the others come back at the last of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from backend.core.database import UtcDateTime
from backend.services.dispatch.pace import ChatPace, slots

REASON = "chat_pace"
_MAX = 200
_EARLY = timedelta(seconds=0.1)
"""Rows are due a little before their chat opens. The two are read from two clocks, and the process may be interrupted
between the readings: a row that is due too early waits in line, one that is due too late is overtaken."""


def _big(name: str) -> Any:
    return bindparam(name, type_=ARRAY(BigInteger))


_WAITING = text(
    """
    SELECT d.id, w.chat_key, d.lane
      FROM unnest(:senders, :chats) AS w(sender_id, chat_key)
     CROSS JOIN LATERAL (
        SELECT id, lane FROM deliveries
         WHERE sender_id = w.sender_id AND chat_key = w.chat_key AND state = 'due' AND due_at <= :now
           AND reason <> :reason
         ORDER BY lane, due_at, id LIMIT :most
           FOR UPDATE SKIP LOCKED
     ) d
     ORDER BY w.chat_key, d.lane, d.id
    """
).bindparams(_big("senders"), _big("chats"))

_LAST_SLOT = text(
    """
    SELECT max(due_at) FROM deliveries
     WHERE sender_id = :sender AND chat_key = :chat AND state = 'due' AND reason = :reason AND lane <= :lane
    """
)

_ASSIGN = text(
    """
    UPDATE deliveries d SET due_at = w.due_at, reason = :reason, in_backlog = true
      FROM unnest(:ids, :due_times) AS w(id, due_at)
     WHERE d.id = w.id AND d.state = 'due'
    """
).bindparams(_big("ids"), bindparam("due_times", type_=ARRAY(UtcDateTime)))

_REST = text(
    """
    UPDATE deliveries SET due_at = :later, in_backlog = true
     WHERE sender_id = :sender AND chat_key = :chat AND state = 'due' AND due_at <= :now AND reason <> :reason
    """
)


def assign_slots(
    connection: Connection, chats: Mapping[int, tuple[int, ChatPace]], moment: float, now: datetime
) -> int:
    """Gives due rows of these chats (key to sender and pace) later moments that keep the chat's pace; returns how many.

    `moment` is the monotonic reading of the business time `now`. Rows keep their order by lane and time, and come after
    the moments given before in the same or a higher lane.
    """
    senders = [sender for sender, _ in chats.values()]
    parameters = {"senders": senders, "chats": list(chats), "now": now, "most": _MAX, "reason": REASON}
    rows = connection.execute(_WAITING, parameters).all()
    count = 0
    for chat_key in dict.fromkeys(row.chat_key for row in rows):
        sender_id, pace = chats[chat_key]
        mine = [row for row in rows if row.chat_key == chat_key]
        due_times = _due_times(connection, sender_id, chat_key, pace, mine, moment, now)
        values = {"ids": [row.id for row in mine], "due_times": due_times, "reason": REASON}
        connection.execute(_ASSIGN, values)
        if len(mine) == _MAX:
            whole = {"later": due_times[-1], "sender": sender_id, "chat": chat_key, "now": now, "reason": REASON}
            connection.execute(_REST, whole)
        count += len(mine)
    return count


def _due_times(
    connection: Connection,
    sender_id: int,
    chat_key: int,
    pace: ChatPace,
    rows: Sequence[Any],
    moment: float,
    now: datetime,
) -> list[datetime]:
    """A moment for each row, lane by lane, each lane after its own and the higher ones."""
    history = list(pace.history)
    due_times: list[datetime] = []
    start = pace.opens(moment)
    for lane in dict.fromkeys(row.lane for row in rows):
        last = connection.execute(
            _LAST_SLOT, {"sender": sender_id, "chat": chat_key, "reason": REASON, "lane": lane}
        ).scalar()
        if last is not None:
            last_slot = moment + (last + _EARLY - now).total_seconds()
            history.append(last_slot)
            start = max(start, last_slot)
        assigned = slots(history, pace.rates, start, sum(row.lane == lane for row in rows))
        history += assigned
        start = assigned[-1]
        due_times += [now + timedelta(seconds=slot - moment) - _EARLY for slot in assigned]
    return due_times
