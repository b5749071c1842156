"""Reading what changed: the rows of the transactions that a snapshot does not include, and that have committed now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.types import Text

from backend.core.database import db, system_scope
from backend.services.live import cursors
from backend.services.live.cursors import Snapshot

MAX_AT_ONCE: Final = 2000
"""Changes that are sent one by one. Beyond it clients are told to read everything again."""
MAX_SCANNED: Final = 20_000
"""Rows of all workspaces that are looked through for one client that comes back."""


@dataclass(frozen=True)
class Change:
    """One event as clients see it."""

    workspace_id: int
    topic: str
    only_for: int | None
    ids: dict[str, int]
    at: datetime = field(compare=False)

    @cached_property
    def json(self) -> str:
        """As JSON, the same for every connection."""
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({"topic": self.topic, "ids": self.ids, "at": at}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Reading:
    """The changes up to `snapshot`; None where there are too many, or some that are gone, so that only reading
    everything again helps. `reason` says which: `too_many`, `too_old`, `unknown`."""

    snapshot: Snapshot
    changes: Sequence[Change] | None
    reason: str | None = None


# What a snapshot does not include: later transactions, and those that were running. By exactly these, so that a
# transaction that stays open for hours costs nothing. The upper bound leaves out rows that a restored copy brought from
# another server, where transactions were counted further.
_NEW = "(xid >= CAST(:xmax AS xid8) OR xid = ANY(CAST(:running AS xid8[])))"

_NOW = text("SELECT pg_current_snapshot()::text")
_SINCE = text(
    f"""
    SELECT s.now, e.workspace_id, e.topic, e.only_for, e.ids, e.at
      FROM (SELECT pg_current_snapshot() AS snapshot, pg_current_snapshot()::text AS now) s
      LEFT JOIN LATERAL (
           SELECT * FROM live_events WHERE {_NEW} AND xid < pg_snapshot_xmax(s.snapshot) ORDER BY id LIMIT :most
      ) e ON true
    """  # noqa: S608 - a constant
).bindparams(bindparam("most", type_=BigInteger))
_RESUME = text(
    f"""
    WITH fresh AS MATERIALIZED (
        SELECT * FROM live_events
         WHERE {_NEW} AND pg_visible_in_snapshot(xid, CAST(:until AS pg_snapshot)) LIMIT :scanned
    )
    SELECT (SELECT count(*) FROM fresh) AS scanned,
           (SELECT snapshot FROM live_marks WHERE used ORDER BY id DESC LIMIT 1) AS horizon,
           e.workspace_id, e.topic, e.only_for, e.ids, e.at
      FROM (VALUES (1)) one LEFT JOIN fresh e ON e.workspace_id = :workspace_id
     ORDER BY e.id
    """  # noqa: S608 - a constant
).bindparams(bindparam("until", type_=Text))


def now() -> Snapshot:
    """What has committed at this moment."""
    with system_scope("a snapshot is the database's"):
        return cursors.from_sql(db.session.execute(_NOW).scalar_one())


def since(snapshot: Snapshot) -> Reading:
    """What has changed in all workspaces since then, in one statement and so as of one moment."""
    with system_scope("one reader serves the connections of all workspaces"):
        rows = db.session.execute(_SINCE, {**_bounds(snapshot), "most": MAX_AT_ONCE + 1}).all()
    reached = cursors.from_sql(rows[0].now)
    if snapshot.xmax > reached.xmax:
        # The database counts from less than before: it was restored.
        return Reading(reached, None, "unknown")
    if len(rows) > MAX_AT_ONCE:
        return Reading(reached, None, "too_many")
    return Reading(reached, _changes(rows))


def resume(workspace_id: int, snapshot: Snapshot, until: Snapshot) -> Reading:
    """What a client of this workspace has missed between the snapshot of its last event and `until`."""
    if snapshot.xmax > until.xmax:
        return Reading(until, None, "unknown")
    values = {
        **_bounds(snapshot),
        "until": until.sql(),
        "workspace_id": workspace_id,
        "scanned": MAX_SCANNED + 1,
    }
    with system_scope("the rows of all workspaces are looked through; one's are returned"):
        rows = db.session.execute(_RESUME, values).all()
    if rows[0].horizon is not None and not snapshot.includes_all_of(cursors.from_sql(rows[0].horizon)):
        return Reading(until, None, "too_old")
    if rows[0].scanned > MAX_SCANNED or len(rows) > MAX_AT_ONCE:
        return Reading(until, None, "too_many")
    return Reading(until, _changes(rows))


def _bounds(snapshot: Snapshot) -> dict[str, Any]:
    return {"xmax": str(snapshot.xmax), "running": [str(xid) for xid in snapshot.running]}


def _changes(rows: Sequence[Any]) -> list[Change]:
    """Each once: what changed twice between two readings is read once."""
    changes: dict[tuple[Any, ...], Change] = {}
    for row in rows:
        if row.workspace_id is not None:
            key = (row.workspace_id, row.topic, row.only_for, *sorted(row.ids.items()))
            changes[key] = Change(row.workspace_id, row.topic, row.only_for, row.ids, row.at)
    return list(changes.values())
