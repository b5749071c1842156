"""Statements over the stored events: who waits, taking many of them at once, and ending many at once.

As with a single event, attempts are counted and committed before anything that could end this process. Only events that
were never tried are taken together: after a process has died with them, each is tried by itself, so that one which
kills its worker is parked alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core import clock, failpoints
from backend.core.database import UtcDateTime, db

ConversationPosition = tuple[int, int]
"""A conversation in the order of the index: its sender, and its key."""
FIRST_KEY: Final = -(2**63)


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event whose attempt has been counted."""

    id: int
    sender_id: int
    conversation_key: int
    channel: str
    key: bytes
    body: bytes | None
    received_at: datetime

    @property
    def position(self) -> ConversationPosition:
        """Its conversation."""
        return self.sender_id, self.conversation_key


@dataclass(frozen=True, slots=True)
class Head:
    """The first event of a conversation that waits."""

    sender_id: int
    conversation_key: int
    id: int
    due: bool
    is_new: bool
    """Whether it was never tried."""

    @property
    def position(self) -> ConversationPosition:
        """Its conversation."""
        return self.sender_id, self.conversation_key


# Each step reads one entry of the index, however many events a sender or a conversation has.
_SENDERS = text(
    """
    WITH RECURSIVE waiting AS (
        (SELECT sender_id FROM webhook_events WHERE state = 'new' ORDER BY sender_id, conversation_key, id LIMIT 1)
        UNION ALL
        SELECT e.sender_id FROM waiting w CROSS JOIN LATERAL (
               SELECT sender_id FROM webhook_events WHERE state = 'new' AND sender_id > w.sender_id
                ORDER BY sender_id, conversation_key, id LIMIT 1) e
    )
    SELECT sender_id FROM waiting
    """
)
_HEADS = text(
    """
    WITH RECURSIVE heads AS (
        SELECT f.*, 1 AS number
          FROM unnest(:senders, :keys, :ids) AS s(sender_id, conversation_key, id) CROSS JOIN LATERAL (
               SELECT sender_id, conversation_key, id, due_at, attempts FROM webhook_events
                WHERE state = 'new' AND sender_id = s.sender_id
                  AND (conversation_key, id) > (s.conversation_key, s.id)
                ORDER BY sender_id, conversation_key, id LIMIT 1) f
        UNION ALL
        SELECT e.*, h.number + 1
          FROM heads h CROSS JOIN LATERAL (
               SELECT sender_id, conversation_key, id, due_at, attempts FROM webhook_events
                WHERE state = 'new' AND sender_id = h.sender_id
                  AND (conversation_key, id) > (h.conversation_key, :greatest)
                ORDER BY sender_id, conversation_key, id LIMIT 1) e
         WHERE h.number < :most
    )
    SELECT sender_id, conversation_key, id, due_at <= :now AS due, attempts = 0 AS is_new FROM heads
     ORDER BY number, sender_id
    """
).bindparams(
    bindparam("senders", type_=ARRAY(BigInteger)),
    bindparam("keys", type_=ARRAY(BigInteger)),
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("greatest", 2**63 - 1, type_=BigInteger),
    bindparam("now", type_=UtcDateTime),
)
# The first of each conversation, and those behind it that were never tried either.
_CLAIM = text(
    """
    WITH first AS (
        SELECT e.id, e.sender_id, e.conversation_key, set_config('synchronous_commit', 'off', true) AS unhurried
          FROM unnest(:ids) AS h(id) JOIN webhook_events e ON e.id = h.id
         WHERE e.state = 'new' AND e.due_at <= :now AND e.attempts = 0
           FOR UPDATE OF e SKIP LOCKED
    ), taken AS (
        SELECT n.id FROM first f CROSS JOIN LATERAL (
               SELECT id, due_at, attempts FROM webhook_events
                WHERE state = 'new' AND sender_id = f.sender_id AND conversation_key = f.conversation_key
                  AND id >= f.id
                ORDER BY sender_id, conversation_key, id LIMIT :run) n
         WHERE n.attempts = 0 AND n.due_at <= :now
    )
    UPDATE webhook_events e SET attempts = 1, due_at = :due_at
      FROM taken WHERE e.id = taken.id AND e.state = 'new' AND e.attempts = 0
    RETURNING e.id, e.sender_id, e.conversation_key, e.channel, e.key, e.body_encrypted AS body, e.received_at
    """
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("now", type_=UtcDateTime),
    bindparam("due_at", type_=UtcDateTime),
)
# What a conversation begins with, beside what is locked of it: one that was stored late may only now be visible.
_LOCK = text(
    """
    WITH locked AS (
        SELECT e.id, e.sender_id, e.conversation_key, set_config('synchronous_commit', 'off', true) AS unhurried
          FROM webhook_events e WHERE e.id = ANY(:ids) AND e.state = 'new'
         ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
    ), counted AS (
        SELECT sender_id, conversation_key, array_agg(id ORDER BY id) AS ids, count(*) AS number
          FROM locked GROUP BY sender_id, conversation_key
    )
    SELECT c.ids, ARRAY(SELECT id FROM webhook_events e
                         WHERE e.state = 'new' AND e.sender_id = c.sender_id AND e.conversation_key = c.conversation_key
                         ORDER BY e.sender_id, e.conversation_key, e.id LIMIT c.number) AS beginning
      FROM counted c
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))
_END = text(
    """
    UPDATE webhook_events e SET state = g.state, processed_at = :now, error = NULL
      FROM unnest(:ids, :states) AS g(id, state) WHERE e.id = g.id
    """
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("states", type_=ARRAY(Text)),
    bindparam("now", type_=UtcDateTime),
)
_GIVE_BACK = text(
    """
    UPDATE webhook_events e SET attempts = e.attempts - :uncounted, due_at = :due_at
      FROM (SELECT id FROM webhook_events WHERE id = ANY(:ids) AND state = 'new' AND attempts = 1
               FOR UPDATE SKIP LOCKED) g
     WHERE e.id = g.id
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)), bindparam("due_at", type_=UtcDateTime))


def waiting_senders() -> list[int]:
    """The senders that have events to process, due or not."""
    senders = list(db.session.execute(_SENDERS).scalars())
    db.session.rollback()
    return senders


def heads(after: dict[int, int], most: int, *, inclusive: Collection[int] = ()) -> list[Head]:
    """Up to `most` conversations of each sender that wait, from a key on (behind it, but for the `inclusive` senders);
    the first of each sender before the second of any."""
    values = {
        "senders": list(after),
        "keys": list(after.values()),
        "ids": [0 if sender_id in inclusive else 2**63 - 1 for sender_id in after],
        "now": clock.now(),
        "most": most,
    }
    conversations = [Head(**row._mapping) for row in db.session.execute(_HEADS, values)]
    db.session.rollback()
    return conversations


def claim(first: Sequence[Head], run: int, pause: float) -> list[ClaimedEvent]:
    """Counts and commits an attempt of each first event and of up to `run` in all of its conversation; in order of id.

    Their next try is in `pause` seconds, should this process die. What somebody else has meanwhile is left out.
    """
    now = clock.now()
    values = {
        "ids": [head.id for head in first],
        "run": run,
        "now": now,
        "due_at": now + timedelta(seconds=pause),
    }
    claimed = [ClaimedEvent(**row._mapping) for row in db.session.execute(_CLAIM, values)]
    db.session.commit()
    if claimed:
        failpoints.hit("intake.stored_not_processed")
    return sorted(claimed, key=lambda event: event.id)


def lock(ids: Sequence[int]) -> set[int]:
    """Locks claimed events until the transaction ends; returns those that are still to be processed and with which
    their conversation begins. The commit will not wait for the disk, as with a single event."""
    ready: set[int] = set()
    for locked, beginning in db.session.execute(_LOCK, {"ids": list(ids)}):
        for own, first in zip(locked, beginning, strict=True):
            if own != first:
                break
            ready.add(own)
    return ready


def end(states: dict[int, str]) -> None:
    """Records the end of locked events."""
    if states:
        values = {"ids": list(states), "states": list(states.values()), "now": clock.now()}
        db.session.execute(_END, values)


def give_back(ids: Collection[int], *, counted: bool = False, pause: float = 0.0) -> None:
    """Makes claimed events due again in `pause` seconds, and commits; their attempt counts only with `counted`, after
    which each is processed by itself."""
    if ids:
        due_at = clock.now() + timedelta(seconds=pause)
        db.session.execute(_GIVE_BACK, {"ids": sorted(ids), "uncounted": 0 if counted else 1, "due_at": due_at})
        db.session.commit()
