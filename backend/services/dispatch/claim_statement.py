"""The claim's statement, put together from the rules of the gate. It reads the beginning of an index, whatever waits.

In order of time it goes by sender, lane and due time. In turn it goes by sender, lane and workspace, for the workspaces
that it is given, and takes one of each before a second of any; of a workspace by turns what is first in its chat and
what waits in a chat's backlog.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import LargeBinary, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text

from backend.core.database import UtcDateTime
from backend.services.delivery import gate


def big(name: str) -> Any:
    """A parameter that is a list of whole numbers."""
    return bindparam(name, type_=ARRAY(BigInteger))


FLOORS = (
    big("floor_senders"),
    big("floor_lanes"),
    bindparam("floor_dues", type_=ARRAY(UtcDateTime)),
    big("floor_ids"),
)

TURNS = (
    big("turn_senders"),
    big("turn_lanes"),
    big("turn_workspaces"),
    big("turn_places"),
    big("turn_mosts"),
    bindparam("turn_dues", type_=ARRAY(UtcDateTime)),
    big("turn_ids"),
)

_MAY_START = """
           AND (d.expires_at IS NULL OR d.expires_at > :now)
           AND (d.chat_key IS NULL OR d.chat_key <> ALL(:throttled))
           AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.sender_id = d.sender_id
                            AND o.chat_key = d.chat_key AND o.state = 'sending')
           AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.message_id = d.message_id AND p.id <> d.id AND (
                               (p.operation = 'send' AND d.operation = 'send' AND p.part < d.part)
                            OR (p.operation = 'send' AND d.operation <> 'send' AND p.id < d.id)
                            OR (p.operation = 'delete' AND d.operation = 'send' AND p.part = d.part
                                AND p.id < d.id)))
           AND {conversation_verdict} IS NULL
         ORDER BY d.due_at, d.id
"""

_IN_TIME = """
    SELECT h.sender_id, h.budget, h.bulk, h.notices, d.id, d.chat_key, d.lane, d.due_at
      FROM held h
      JOIN unnest(:floor_senders, :floor_lanes, :floor_dues, :floor_ids) AS f(sender_id, lane, due_at, id)
        ON f.sender_id = h.sender_id
     CROSS JOIN LATERAL (
        SELECT d.id, d.chat_key, d.lane, d.due_at
          FROM deliveries d
         WHERE d.sender_id = h.sender_id AND d.state = 'due' AND d.lane = f.lane AND d.due_at <= :now
           AND (d.due_at, d.id) >= (f.due_at, f.id)
           {may_start}
         LIMIT h.budget
           FOR UPDATE OF d SKIP LOCKED
     ) d
"""

# Of each workspace whose turn it is: what its chats have first, and what they have in backlog. What came to a chat
# after its backlog waits until that is gone, whichever is read first.
_IN_TURN = """
    SELECT h.sender_id, h.budget, h.bulk, h.notices, d.id, d.chat_key, d.lane, d.due_at,
           t.workspace_id, t.place, b.in_backlog
      FROM held h
      JOIN unnest(:turn_senders, :turn_lanes, :turn_workspaces, :turn_places, :turn_mosts, :turn_dues, :turn_ids)
           AS t(sender_id, lane, workspace_id, place, most, due_at, id) ON t.sender_id = h.sender_id
     CROSS JOIN (VALUES (false), (true)) AS b(in_backlog)
     CROSS JOIN LATERAL (
        SELECT d.id, d.chat_key, d.lane, d.due_at
          FROM deliveries d
         WHERE d.sender_id = h.sender_id AND d.state = 'due' AND d.lane = t.lane AND d.workspace_id = t.workspace_id
           AND d.in_backlog = b.in_backlog AND d.due_at <= :now AND (d.due_at, d.id) >= (t.due_at, t.id)
           AND (d.in_backlog OR d.chat_key IS NULL OR NOT EXISTS (
                SELECT 1 FROM deliveries e WHERE e.sender_id = d.sender_id AND e.chat_key = d.chat_key
                   AND e.lane = d.lane AND e.id < d.id AND e.state = 'due' AND e.in_backlog))
           {may_start}
         LIMIT t.most
           FOR UPDATE OF d SKIP LOCKED
     ) d
"""

_LOCKED_IN_TIME = """
locked AS MATERIALIZED ({in_time}
), firsts AS (
    SELECT DISTINCT ON (sender_id, coalesce(chat_key, -id)) *
      FROM locked ORDER BY sender_id, coalesce(chat_key, -id), lane, id
), ranked AS (
    SELECT id, sender_id, lane, budget, bulk, notices,
           row_number() OVER (PARTITION BY sender_id, lane ORDER BY due_at, id) AS in_lane
      FROM firsts
)"""

_LOCKED_IN_TURN = """
in_time AS MATERIALIZED ({in_time}
), in_turn AS MATERIALIZED ({in_turn}
), locked AS (
    SELECT *, 0 AS workspace_id, 0 AS place, false AS in_backlog FROM in_time
     UNION ALL
    SELECT * FROM in_turn
), firsts AS (
    SELECT DISTINCT ON (sender_id, coalesce(chat_key, -id)) *
      FROM locked ORDER BY sender_id, coalesce(chat_key, -id), lane, id
), classed AS (
    SELECT *, row_number() OVER (PARTITION BY sender_id, lane, workspace_id, in_backlog ORDER BY due_at, id) AS number
      FROM firsts
), rounds AS (
    SELECT *, row_number() OVER (PARTITION BY sender_id, lane, workspace_id
                ORDER BY number, (in_backlog <> :backlog_first), due_at, id) AS round
      FROM classed
), ranked AS (
    SELECT id, sender_id, lane, budget, bulk, notices,
           row_number() OVER (PARTITION BY sender_id, lane ORDER BY round, place, due_at, id) AS in_lane
      FROM rounds
)"""

# Of a random UUID: 60 bits, never zero. Committed before a byte is written, so every try has the same.
_RANDOM_NUMBER = "('x' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 16))::bit(64)::bigint"

_CLAIM = """
WITH held AS MATERIALIZED (
    SELECT l.sender_id, l.epoch, w.budget, w.bulk, w.notices, w.quota_key, s.channel = ANY(:idempotent) AS is_numbered
      FROM unnest(:senders, :epochs, :budgets, :bulks, :notices, :quota_keys)
           AS w(sender_id, epoch, budget, bulk, notices, quota_key)
      JOIN sender_leases l ON l.sender_id = w.sender_id AND (l.epoch = w.epoch OR NOT :fencing)
      JOIN senders s ON s.id = w.sender_id
     WHERE (l.until > clock_timestamp() OR NOT :fencing) AND {sender_verdict} IS NULL
     ORDER BY l.sender_id
       FOR SHARE OF l
), {ranked}, chosen AS (
    SELECT id, sender_id, budget, lane, in_lane,
           row_number() OVER (PARTITION BY sender_id
             ORDER BY (CASE WHEN in_lane <= (CASE lane WHEN 1 THEN notices WHEN 2 THEN bulk ELSE 0 END) THEN -1
                            ELSE lane END), in_lane, lane DESC) AS place
      FROM ranked
), taken AS (
    UPDATE deliveries d
       SET state = 'sending', epoch = h.epoch, attempts = d.attempts + 1, reason = 'sending',
           client_ref = CASE WHEN h.is_numbered AND d.operation = 'send' THEN coalesce(d.client_ref, {random_number})
                             ELSE d.client_ref END
      FROM chosen c JOIN held h ON h.sender_id = c.sender_id
     WHERE d.id = c.id AND c.place <= c.budget AND (h.quota_key IS NULL OR c.lane <> 2 OR c.in_lane = 1)
    RETURNING d.*, h.quota_key
), noted AS (
    INSERT INTO attempts
           (workspace_id, sender_id, chat_key, message_id, delivery_id, part, operation, phase, epoch, at, kind,
            quota_key)
    SELECT t.workspace_id, t.sender_id, t.chat_key, t.message_id, t.id, t.part, t.operation, 'started', t.epoch, :now,
           m.kind, t.quota_key
      FROM taken t LEFT JOIN messages m ON m.id = t.message_id
)
SELECT id, workspace_id, sender_id, conversation_id, message_id, part, operation, chat_key, lane, attempts, epoch,
       at_most_once, payload, quota_key, client_ref,
       (SELECT count(*) FROM locked WHERE locked.sender_id = taken.sender_id) AS candidates
  FROM taken ORDER BY lane, id
"""


@lru_cache
def claim_statement(rules: tuple[gate.Rule, ...], *, in_turn: bool = False) -> TextClause:
    """The statement that claims what these rules let through: in order of time, or for workspaces in turn where some
    are given."""
    may_start = _MAY_START.strip().format(conversation_verdict=gate.conversation_verdict(rules))
    in_time = _IN_TIME.rstrip().format(may_start=may_start)
    if in_turn:
        ranked = _LOCKED_IN_TURN.format(in_time=in_time, in_turn=_IN_TURN.rstrip().format(may_start=may_start))
    else:
        ranked = _LOCKED_IN_TIME.format(in_time=in_time)
    statement = text(
        _CLAIM.format(sender_verdict=gate.sender_verdict(rules), ranked=ranked.strip(), random_number=_RANDOM_NUMBER)
    )
    return statement.bindparams(
        big("senders"),
        big("epochs"),
        big("budgets"),
        big("bulks"),
        big("notices"),
        bindparam("quota_keys", type_=ARRAY(LargeBinary)),
        big("throttled"),
        bindparam("idempotent", type_=ARRAY(Text)),
        bindparam("now", type_=UtcDateTime),
        *FLOORS,
        *(TURNS if in_turn else ()),
    )
