"""The gate's part of the sweep: what may never be sent any more is canceled, and what is held says so."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BigInteger, TextClause, bindparam, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from backend.core import clock
from backend.core.database import UtcDateTime, db, system_scope
from backend.models import Delivery
from backend.services.delivery import cancellation, gate

_PAGE: Final = 1_000
_SECONDS: Final = 0.25
"""How long one call goes on; what it did not come to is next in the following one."""

_PAGE_SQL: Final = """
WITH page AS MATERIALIZED (
    SELECT id, sender_id, conversation_id, message_id, part, operation, lane, reason FROM deliveries
     WHERE id > :after AND state = 'due' ORDER BY id LIMIT :most
), judged AS (
    SELECT d.id, d.reason, {verdict} AS verdict
      FROM page d
      JOIN senders s ON s.id = d.sender_id
      LEFT JOIN sender_leases l ON l.sender_id = d.sender_id
)
SELECT whole.last, whole.size, j.id, j.reason, j.verdict
  FROM (SELECT max(id) AS last, count(*) AS size FROM page) whole
  LEFT JOIN judged j ON j.verdict IS NOT NULL OR j.reason = ANY(:noted)
 ORDER BY j.id
"""

_resume_after = 0


def apply(*, page: int = _PAGE, monotonic: Callable[[], float] = time.monotonic) -> int:
    """Asks the gate about what waits, page by page; returns how many messages it canceled. Commits.

    The claim forbids the same at the same time. This only has it said, and clears away what will never be sent.
    """
    global _resume_after
    until, canceled = monotonic() + _SECONDS, 0
    with system_scope("housekeeping"):
        while True:
            last, rows = _read_page(_resume_after, page)
            canceled += _settle(rows)
            db.session.commit()
            _resume_after = last or 0
            if last is None or monotonic() >= until:
                return canceled


def _settle(rows: Sequence[Any]) -> int:
    """Cancels and notes what the verdicts on these deliveries say; returns how many messages were canceled."""
    ended: dict[str, list[int]] = defaultdict(list)
    reasons: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        verdict = gate.read(row.verdict)
        if verdict is not None and verdict.rule.ends:
            ended[verdict.code].append(row.id)
        elif verdict is not None and verdict.rule.is_noted:
            if row.reason != verdict.rule.name:
                reasons[verdict.rule.name].append(row.id)
        elif row.reason in gate.noted_reasons():
            reasons["queued"].append(row.id)
    for reason, ids in reasons.items():
        _note(ids, reason)
    return sum(cancellation.cancel_deliveries(ids, code) for code, ids in ended.items())


def _note(delivery_ids: Iterable[int], reason: str) -> None:
    db.session.execute(
        update(Delivery)
        .where(Delivery.id.in_(delivery_ids), Delivery.state == "due")
        .values(reason=reason)
        .execution_options(synchronize_session=False)
    )


def _read_page(after: int, page: int) -> tuple[int | None, Sequence[Any]]:
    """The last id of the page that follows `after`, None where the queue ends in it, and what the gate has to say."""
    values = {"after": after, "most": page, "now": clock.now(), "noted": gate.noted_reasons()}
    rows = db.session.execute(_statement(gate.rules()), values).all()
    is_full = rows[0].size == page
    return (rows[0].last if is_full else None), [row for row in rows if row.id is not None]


@lru_cache
def _statement(rules: tuple[gate.Rule, ...]) -> TextClause:
    sql = _PAGE_SQL.format(verdict=gate.verdict(rules))
    return text(sql).bindparams(
        bindparam("after", type_=BigInteger),
        bindparam("most", type_=BigInteger),
        bindparam("now", type_=UtcDateTime),
        bindparam("noted", type_=ARRAY(Text)),
    )
