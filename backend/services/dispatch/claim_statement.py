"""The claim's statement, put together from the rules of the gate; read the beginning of an index, whatever waits."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import LargeBinary, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

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

_CLAIM = """
WITH held AS MATERIALIZED (
    SELECT l.sender_id, l.epoch, w.budget, w.bulk, w.quota_key
      FROM unnest(:senders, :epochs, :budgets, :bulks, :quota_keys) AS w(sender_id, epoch, budget, bulk, quota_key)
      JOIN sender_leases l ON l.sender_id = w.sender_id AND (l.epoch = w.epoch OR NOT :fencing)
      JOIN senders s ON s.id = w.sender_id
     WHERE (l.until > clock_timestamp() OR NOT :fencing) AND {sender_verdict} IS NULL
     ORDER BY l.sender_id
       FOR SHARE OF l
), locked AS MATERIALIZED (
    SELECT h.sender_id, h.budget, h.bulk, d.id, d.chat_key, d.lane, d.due_at
      FROM held h
      JOIN unnest(:floor_senders, :floor_lanes, :floor_dues, :floor_ids) AS f(sender_id, lane, due_at, id)
        ON f.sender_id = h.sender_id
     CROSS JOIN LATERAL (
        SELECT d.id, d.chat_key, d.lane, d.due_at
          FROM deliveries d
         WHERE d.sender_id = h.sender_id AND d.state = 'due' AND d.lane = f.lane AND d.due_at <= :now
           AND (d.due_at, d.id) >= (f.due_at, f.id)
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
         LIMIT h.budget
           FOR UPDATE OF d SKIP LOCKED
     ) d
), firsts AS (
    SELECT DISTINCT ON (sender_id, coalesce(chat_key, -id)) *
      FROM locked ORDER BY sender_id, coalesce(chat_key, -id), lane, id
), ranked AS (
    SELECT id, sender_id, lane, due_at, budget, bulk,
           row_number() OVER (PARTITION BY sender_id, lane ORDER BY due_at, id) AS in_lane
      FROM firsts
), chosen AS (
    SELECT id, sender_id, budget,
           row_number() OVER (PARTITION BY sender_id
             ORDER BY (CASE WHEN lane = 2 AND in_lane <= bulk THEN -1 ELSE lane END), due_at, id) AS place
      FROM ranked
), taken AS (
    UPDATE deliveries d
       SET state = 'sending', epoch = h.epoch, attempts = d.attempts + 1, reason = 'sending'
      FROM chosen c JOIN held h ON h.sender_id = c.sender_id
     WHERE d.id = c.id AND c.place <= c.budget
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
       at_most_once, payload, quota_key
  FROM taken ORDER BY lane, id
"""


@lru_cache
def claim_statement(rules: tuple[gate.Rule, ...]) -> TextClause:
    """The statement that claims what these rules let through."""
    sql = _CLAIM.format(
        sender_verdict=gate.sender_verdict(rules), conversation_verdict=gate.conversation_verdict(rules)
    )
    return text(sql).bindparams(
        big("senders"),
        big("epochs"),
        big("budgets"),
        big("bulks"),
        bindparam("quota_keys", type_=ARRAY(LargeBinary)),
        big("throttled"),
        bindparam("now", type_=UtcDateTime),
        *FLOORS,
    )
