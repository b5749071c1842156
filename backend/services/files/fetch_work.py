"""The work that fetches files: several at once, workspaces in turn.

A claim counts the try and moves the due time on, so that a process that dies leaves the fetch due again. A workspace
whose servers hang holds at most half of a process's threads, and the next to be fetched is the next workspace's.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock, failpoints, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Waiting, Work, register
from backend.models import FileFetch
from backend.services.files.downloads import Source
from backend.services.files.fetch_outcomes import ClaimedFetch, carry_out
from backend.services.files.fetch_requests import QUEUE

THREADS: Final = 8
MAX_OF_WORKSPACE: Final = 4
"""How many files of one workspace a process fetches at once."""
CLAIM: Final = timedelta(seconds=60)
"""How long one process keeps a fetch to itself; longer than a download may take."""
_DRAIN_SECONDS: Final = 10.0
_POOL: Final = BoundedPool("file-fetches", THREADS)


class _Rotation:
    """Whose turn it is: the workspace after the one that was claimed for last, except those that have their share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: Counter[int] = Counter()
        self._last = 0

    def claim(self) -> ClaimedFetch | None:
        """Claims the next fetch that is due. Commits; the caller calls `release` in any case."""
        with self._lock:
            full = [workspace for workspace, count in self._in_flight.items() if count >= MAX_OF_WORKSPACE]
            claimed = _claim(FileFetch.workspace_id > self._last, full) or _claim(
                FileFetch.workspace_id <= self._last, full
            )
            if claimed is not None:
                self._last = claimed.workspace_id
                self._in_flight[claimed.workspace_id] += 1
        return claimed

    def release(self, claimed: ClaimedFetch) -> None:
        """Notes that a claimed fetch is not under way any more."""
        with self._lock:
            self._in_flight[claimed.workspace_id] -= 1
            if not self._in_flight[claimed.workspace_id]:
                del self._in_flight[claimed.workspace_id]


_rotation: Final = _Rotation()


def waiting() -> Waiting:
    """Files that are due to be fetched."""
    return (_due().with_only_columns(FileFetch.id),)


def fetch_due(turn: Turn) -> int:
    """Fetches what is due, in threads, and waits for them until the turn is over; returns how many fetches ended.

    A server that hangs goes on in its thread and holds nothing else.
    """
    ended: list[int] = []
    free = _POOL.free()
    with system_scope("files of all workspaces are fetched here"):
        due = db.session.scalars(_due().with_only_columns(FileFetch.id).limit(free)).all() if free else []
        db.session.rollback()
    for _ in due:
        _POOL.start(lambda: _drain(ended))
    if due:
        _POOL.wait(turn.left())
    return len(ended)


def _drain(ended: list[int]) -> None:
    """Carries out one fetch after the other until none is due or others should have the thread."""
    turn = Turn(_DRAIN_SECONDS)
    while (claimed := _rotation.claim()) is not None:
        try:
            failpoints.hit("files.claimed")
            with workspace_scope(claimed.workspace_id):
                if carry_out(claimed):
                    ended.append(claimed.id)
        finally:
            _rotation.release(claimed)
        if turn.is_over():
            queue.wake_now(QUEUE)
            return


def _due() -> Any:
    return select(FileFetch).where(FileFetch.ended_at.is_(None), FileFetch.due_at <= clock.now())


def _claim(workspaces: Any, full: list[int]) -> ClaimedFetch | None:
    query = _due().where(workspaces)
    if full:
        query = query.where(FileFetch.workspace_id.not_in(full))
    with system_scope("files of all workspaces are fetched here"):
        fetch = db.session.scalars(
            query.order_by(FileFetch.workspace_id, FileFetch.due_at, FileFetch.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if fetch is None:
            db.session.rollback()
            return None
        fetch.tries, fetch.due_at = fetch.tries + 1, clock.now() + CLAIM
        claimed = ClaimedFetch(
            fetch.id,
            fetch.workspace_id,
            fetch.owner_kind,
            fetch.owner_id,
            fetch.slot,
            fetch.kind,
            _source_of(fetch),
            fetch.tries,
            fetch.max_tries,
        )
        db.session.commit()
    return claimed


def _source_of(fetch: FileFetch) -> Source:
    # A provider's file id stays one when its sender is removed: no sender has the id 0, and none downloads it.
    return Source(fetch.source or "", None if fetch.source_kind == "url" else fetch.sender_id or 0)


WORK: Final = register(Work("file_fetches", QUEUE, waiting, fetch_due))
