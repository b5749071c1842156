"""Keeping a workspace within its caps (`core.caps`), so that one workspace does not crowd out the others."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Select, func, select

from backend.core import caps, config
from backend.core.database import current_workspace_id, db, system_scope
from backend.core.errors import Conflict

_LOCKS: Final = 0x43415053
"""The class of this feature's advisory locks."""
_WHY: Final = "a lock that names the workspace itself"


def limit_of(name: str) -> int:
    """How many a workspace may have."""
    return _parsed(config.get().workspace_caps)[name]


def require_room(name: str, present: Select[Any], *, workspace_id: int | None = None) -> None:
    """Raises Conflict with the cap's code where the workspace has as many as it may have.

    `present` gives one number: how many there are. Of two transactions that add one at the same time the second waits
    for the first. Runs in the workspace's scope, or names the workspace.
    """
    workspace_id = workspace_id if workspace_id is not None else current_workspace_id()
    lock = func.pg_advisory_xact_lock(_LOCKS, zlib.crc32(f"{name}:{workspace_id}".encode()) & 0x7FFFFFFF)
    with system_scope(_WHY):
        db.session.execute(select(lock))
    if int(db.session.execute(present).scalar() or 0) >= limit_of(name):
        raise refusal(name)


def refusal(name: str) -> Conflict:
    """What a workspace is told that has as many as it may have."""
    cap, limit = caps.DEFAULTS[name], limit_of(name)
    return Conflict(cap.code, f"A workspace has at most {limit:,} {cap.what}.", detail={"cap": name, "limit": limit})


@lru_cache(maxsize=4)
def _parsed(setting: str) -> dict[str, int]:
    return caps.parse(setting)
