"""Fetching the pictures and documents of scheduled messages that were given as addresses, through the guarded client.

The messages of a fire are stored at once and wait, with the address in their text. When the file is there they go out
with it; when it cannot be fetched, or nobody fetches it in time, they go out as they are. So each goes out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from backend.channels.base import Content, MediaKind
from backend.core import clock, storage
from backend.core.database import db, system_scope, workspace_scope
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Message, ScheduledFetch, ScheduleFire
from backend.services import attachments, delivery, job_history
from backend.services.notifications.attachments import BACKOFF, MAX_TRIES, FetchFailed, fetch, name_of

log = get_logger(__name__)

LANE: Final = "notifications"
_CLAIM: Final = timedelta(seconds=60)
"""How long one process keeps a file to itself; longer than a fetch may take."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    workspace_id: int
    kind: MediaKind
    url: str
    tries: int


def waiting() -> Waiting:
    """Files that are due to be fetched."""
    return (select(ScheduledFetch.id).where(ScheduledFetch.due_at <= clock.now()),)


def fetch_waiting(turn: Turn) -> int:
    """Fetches what is due, the oldest first, until the turn is over; returns how many it tried. Commits."""
    attempted = 0
    while claimed := _claim():
        with workspace_scope(claimed.workspace_id):
            _fetch_one(claimed)
        attempted += 1
        if turn.is_over():
            turn.go_on_later()
            break
    return attempted


def _claim() -> _Claimed | None:
    """Takes the oldest for this process, counts the try and commits both."""
    with system_scope("files of all workspaces are fetched by one loop"):
        row = db.session.scalars(
            select(ScheduledFetch)
            .where(ScheduledFetch.due_at <= clock.now())
            .order_by(ScheduledFetch.due_at, ScheduledFetch.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if row is None:
            db.session.rollback()
            return None
        row.tries, row.due_at = row.tries + 1, clock.now() + _CLAIM
        claimed = _Claimed(row.id, row.workspace_id, row.kind, row.url, row.tries)  # type: ignore[arg-type]  # one of the two kinds
        db.session.commit()
    return claimed


def _fetch_one(claimed: _Claimed) -> None:
    if claimed.tries > MAX_TRIES:
        # Each try ended its process or met a defect of ours.
        _give_up_or_wait(claimed, FetchFailed("not_fetched"))
        return
    try:
        stored = fetch(claimed.url, claimed.kind)
    except FetchFailed as error:
        log.info("scheduled_file_not_fetched", fetch_id=claimed.id, code=error.code)
        _give_up_or_wait(claimed, error)
        return
    try:
        settled = _send_with(claimed, stored)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        attachments.files().delete(stored.key)
        raise
    if not settled:
        attachments.files().delete(stored.key)


def _send_with(claimed: _Claimed, stored: storage.StoredFile) -> bool:
    """Lets the messages go with the file; False where all of them went out or ended meanwhile."""
    row = _locked(claimed)
    if row is None:
        return False
    file = attachments.record(name_of(claimed.url), stored)
    content = Content(row.caption, media=(attachments.as_media(file, claimed.kind),))
    released = [delivery.release(message, content) for message in _messages_of(row)]
    if not any(released):
        db.session.delete(file)
    db.session.delete(row)
    db.session.flush()
    return any(released)


def _give_up_or_wait(claimed: _Claimed, error: FetchFailed) -> None:
    row = _locked(claimed)
    if row is None:
        db.session.rollback()
        return
    if error.again and claimed.tries < MAX_TRIES:
        row.due_at = clock.now() + BACKOFF.wait(claimed.tries, row.id)
        db.session.commit()
        return
    for message in _messages_of(row):
        delivery.release(message)
    job_history.record_failure(
        "scheduled_message",
        "attachment_failed",
        f"schedule_fires:{row.fire_id}",
        workspace_id=row.workspace_id,
        detail=error.code,
    )
    db.session.delete(row)
    db.session.commit()


def _locked(claimed: _Claimed) -> ScheduledFetch | None:
    """The row, if it is still to be settled."""
    fetch: ScheduledFetch | None = db.session.get(
        ScheduledFetch, claimed.id, with_for_update=True, populate_existing=True
    )
    return fetch


def _messages_of(row: ScheduledFetch) -> list[Message]:
    fire = db.session.get_one(ScheduleFire, row.fire_id, populate_existing=True)
    ids = sorted(int(message_id) for message_id in (fire.result or {}).get("message_ids", ()))
    messages = db.session.scalars(select(Message).where(Message.id.in_(ids)).order_by(Message.id))
    return list(messages.all())


WORK: Final = register(Work("scheduled_files", LANE, waiting, fetch_waiting, pool=BoundedPool("scheduled-files", 1)))
