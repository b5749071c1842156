"""Asking for files that are somewhere else: a row for each, which the work `file_fetches` carries out.

What asks (an event, an alert, a fire, a post, …) is the owner. It holds its own row's lock when it asks, and hears of
the end by `FileFetched` or `FileFetchFailed`.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select, update

from backend.core import clock, queue
from backend.core.database import current_workspace_id, db
from backend.models import FileFetch
from backend.services.files.downloads import Source

QUEUE: Final = "notifications"
MAX_TRIES: Final = 3


def request(
    owner_kind: str, owner_id: int, source: Source, kind: str, *, slot: int = 0, max_tries: int = MAX_TRIES
) -> None:
    """Has a file fetched for an owner of the workspace in scope, once the caller's transaction has committed.

    The same source is not asked for twice; another one takes the place of what was asked for in that slot.
    """
    live = db.session.scalars(_live(owner_kind, owner_id).where(FileFetch.slot == slot)).one_or_none()
    if live is not None:
        if (live.source, live.sender_id) == (source.value, source.sender_id):
            return
        cancel(owner_kind, owner_id, slot=slot)
    now = clock.now()
    fetch = FileFetch(
        workspace_id=current_workspace_id(),
        owner_kind=owner_kind,
        owner_id=owner_id,
        slot=slot,
        kind=kind,
        source_kind="url" if source.sender_id is None else "provider",
        sender_id=source.sender_id,
        state="waiting",
        max_tries=max_tries,
        due_at=now,
        created_at=now,
    )
    fetch.source = source.value
    db.session.add(fetch)
    db.session.flush()
    queue.wake(QUEUE)


def cancel(owner_kind: str, owner_id: int, *, slot: int | None = None, except_slot: int | None = None) -> None:
    """Ends what an owner still waits for: all of it, one slot, or all but one. A download under way is thrown away."""
    of_owner = _of(owner_kind, owner_id)
    if slot is not None:
        of_owner = (*of_owner, FileFetch.slot == slot)
    if except_slot is not None:
        of_owner = (*of_owner, FileFetch.slot != except_slot)
    db.session.execute(
        update(FileFetch)
        .where(*of_owner)
        .values(state="canceled", source_encrypted=None, ended_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )


def waiting_slots(owner_kind: str, owner_id: int) -> set[int]:
    """Which of the owner's files are still to come."""
    return set(db.session.scalars(select(FileFetch.slot).where(*_of(owner_kind, owner_id))))


def _live(owner_kind: str, owner_id: int) -> Any:
    return select(FileFetch).where(*_of(owner_kind, owner_id)).execution_options(populate_existing=True)


def _of(owner_kind: str, owner_id: int) -> tuple[Any, ...]:
    return FileFetch.owner_kind == owner_kind, FileFetch.owner_id == owner_id, FileFetch.ended_at.is_(None)
