"""Carrying out one fetch: download, then row, owner and end of the fetch in one transaction.

A process that dies before that commit leaves the row as it was claimed: it is due again when the claim is over. The
end is fenced by the number of tries, so that of two processes that fetched the same only one stores it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import inspect, update

from backend.core import clock, events, failpoints, storage
from backend.core.backoff import Backoff
from backend.core.database import db
from backend.core.errors import AppError
from backend.core.logging import get_logger
from backend.core.work import AWAY
from backend.models import FileFetch
from backend.services.files import stored_files
from backend.services.files.downloads import DownloadFailed, Source, download, failure_of, name_of
from backend.services.files.events import FileFetched, FileFetchFailed

log = get_logger(__name__)

BACKOFF: Final = Backoff(5.0, 20.0, factor=4.0)
_MAX_DEFECTS: Final = 5
"""So often an owner that fails to hear of a failure is told again."""


@dataclass(frozen=True, slots=True)
class ClaimedFetch:
    """A fetch that this process carries out now; `tries` counts this one."""

    id: int
    workspace_id: int
    owner_kind: str
    owner_id: int
    slot: int
    kind: str
    source: Source
    tries: int
    max_tries: int


class _Superseded(Exception):
    """The fetch was canceled, or another process claimed it meanwhile."""


def carry_out(claimed: ClaimedFetch) -> bool:
    """Fetches the file and tells its owner, in the workspace's scope; whether the fetch has ended. Commits."""
    if claimed.tries > claimed.max_tries:
        # Each try ended its process or met an internal error.
        return _fail_or_wait(claimed, DownloadFailed("not_fetched"))
    try:
        stored = download(claimed.source, claimed.kind)
    except DownloadFailed as error:
        log.info("file_not_fetched", fetch_id=claimed.id, owner=claimed.owner_kind, code=error.code)
        return _fail_or_wait(claimed, error)
    failpoints.hit("files.stored_not_recorded")
    try:
        wanted = _record(claimed, stored)
    except BaseException as error:
        db.session.rollback()
        _throw_away(stored)
        if isinstance(error, _Superseded):
            return False
        if isinstance(error, AWAY) or not isinstance(error, Exception):
            raise
        log.error("file_fetch_defect", fetch_id=claimed.id, error=type(error).__name__, exc_info=error)
        return _fail_or_wait(claimed, failure_of(error))
    failpoints.hit("files.recorded_not_committed")
    # Should the answer to this commit be lost, nobody knows whether a row names the content: so it stays.
    db.session.commit()
    if not wanted:
        _throw_away(stored)
    return True


def _record(claimed: ClaimedFetch, stored: storage.StoredFile) -> bool:
    """Stores the file's row, tells the owner, ends the fetch; whether the owner still had a use for the file."""
    file = stored_files.record(name_of(claimed.source), stored)
    events.publish(
        FileFetched(claimed.owner_kind, claimed.owner_id, claimed.slot, claimed.kind, claimed.source.value, file.id)
    )
    wanted = not inspect(file).deleted
    if wanted:
        _end(claimed, "stored", file_id=file.id)
    else:
        _end(claimed, "canceled", error="not_needed")
    return wanted


def _fail_or_wait(claimed: ClaimedFetch, failure: DownloadFailed) -> bool:
    if failure.transient and claimed.tries < claimed.max_tries:
        _put_off(claimed, failure.code)
        return False
    try:
        events.publish(
            FileFetchFailed(
                claimed.owner_kind,
                claimed.owner_id,
                claimed.slot,
                claimed.kind,
                claimed.source.value,
                failure.code,
                failure.transient,
            )
        )
        _end(claimed, "failed", error=failure.code)
        db.session.commit()
    except _Superseded:
        db.session.rollback()
        return False
    except AWAY:
        raise
    except Exception as error:
        db.session.rollback()
        log.exception("file_owner_defect", fetch_id=claimed.id, owner=claimed.owner_kind, error=type(error).__name__)
        return _put_off_or_end(claimed, failure.code)
    return True


def _put_off_or_end(claimed: ClaimedFetch, code: str) -> bool:
    """The owner could not be told: it is told again, but not for ever."""
    if claimed.tries < claimed.max_tries + _MAX_DEFECTS:
        _put_off(claimed, code)
        return False
    try:
        _end(claimed, "failed", error=code)
    except _Superseded:
        db.session.rollback()
        return False
    db.session.commit()
    return True


def _put_off(claimed: ClaimedFetch, code: str) -> None:
    """Has a fetch be due again later. Commits; nothing happens where it has ended or is another process's."""
    due_at = clock.now() + BACKOFF.wait(claimed.tries, claimed.id)
    db.session.execute(_guarded(claimed).values(due_at=due_at, error=code))
    db.session.commit()


def _end(claimed: ClaimedFetch, state: str, *, error: str | None = None, file_id: int | None = None) -> None:
    ended = db.session.execute(
        _guarded(claimed)
        .values(state=state, error=error, file_id=file_id, source_encrypted=None, ended_at=clock.now())
        .returning(FileFetch.id)
    ).first()
    if ended is None:
        raise _Superseded


def _guarded(claimed: ClaimedFetch) -> Any:
    return (
        update(FileFetch)
        .where(FileFetch.id == claimed.id, FileFetch.ended_at.is_(None), FileFetch.tries == claimed.tries)
        .execution_options(synchronize_session=False)
    )


def _throw_away(stored: storage.StoredFile) -> None:
    """Deletes a content that no row names. A storage that is away keeps it: nothing points to it."""
    try:
        stored_files.storage_of_instance().delete(stored.key)
    except (AppError, OSError) as error:
        log.warning("file_left_behind", key=stored.key, error=type(error).__name__)
