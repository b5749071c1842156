"""Deleting live events an hour after they committed, however long their transactions had stayed open.

Every few minutes a mark is set: what has committed by then. Once a mark is an hour old, what it includes goes. A cursor
that lacks something of the mark in use may have missed what is gone; that is how one is found to be too old.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, text

from backend.core import clock
from backend.core.database import UtcDateTime, db, system_scope

KEPT: Final = timedelta(hours=1)
_EVERY: Final = timedelta(minutes=5)
_MAX: Final = 5_000

_MARK = text(
    """
    INSERT INTO live_marks (snapshot, at) SELECT pg_current_snapshot()::text, :now
     WHERE NOT EXISTS (SELECT 1 FROM live_marks WHERE at > :before AND at <= :now)
    """
).bindparams(bindparam("now", type_=UtcDateTime), bindparam("before", type_=UtcDateTime))
_USE = text(
    """
    UPDATE live_marks SET used = true
     WHERE id = (SELECT max(id) FROM live_marks WHERE at <= :before) AND NOT used RETURNING id
    """
).bindparams(bindparam("before", type_=UtcDateTime))
_DROP = text(
    """
    DELETE FROM live_events WHERE (xid, id) IN (
        SELECT e.xid, e.id
          FROM (SELECT CAST(snapshot AS pg_snapshot) AS snapshot FROM live_marks
                 WHERE used ORDER BY id DESC LIMIT 1) mark, live_events e
         WHERE e.xid < pg_snapshot_xmax(mark.snapshot) AND pg_visible_in_snapshot(e.xid, mark.snapshot) LIMIT :most
    )
    """
)
# A copy restored on another server brings rows of transactions that are still to come here.
_DROP_STRAYS = text(
    """
    DELETE FROM live_events WHERE (xid, id) IN (
        SELECT xid, id FROM live_events WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()) LIMIT :most
    )
    """
)
_FORGET_MARKS = text("DELETE FROM live_marks WHERE id < (SELECT max(id) FROM live_marks WHERE used)")


def purge() -> int:
    """Deletes a batch of what has been kept long enough, and commits; returns how many. To be called every so often."""
    now = clock.now()
    with system_scope("live events of all workspaces grow old"):
        db.session.execute(_MARK, {"now": now, "before": now - _EVERY})
        if db.session.execute(_USE, {"before": now - KEPT}).first() is not None:
            db.session.execute(_FORGET_MARKS)
        deleted: int = db.session.execute(_DROP, {"most": _MAX}).rowcount  # type: ignore[attr-defined]
        deleted += db.session.execute(_DROP_STRAYS, {"most": _MAX}).rowcount  # type: ignore[attr-defined]
        db.session.commit()
    return deleted
