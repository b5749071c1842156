"""Fetching the attachments that were given as addresses, in the background, through the guarded client.

An event's attachment is `waiting` until its file is `stored` or the fetching has `failed`; then its message is
released: with the file, or with the address in its text. No transaction is open while something is fetched. Should
nobody fetch, the message goes out by itself when its patience ends.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import or_, select
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.channels.base import Content, Media
from backend.core import clock, config, storage
from backend.core.backoff import Backoff
from backend.core.database import db, system_scope, workspace_scope
from backend.core.egress import Egress, EgressFailed, EgressRefused
from backend.core.errors import AppError, StorageFull, Unavailable
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Message, NotificationEvent, User
from backend.services import attachments, delivery
from backend.services.notifications import attaching, failures, rendering, reporting, settings
from backend.services.texts.quiet_hours import quiet_until

log = get_logger(__name__)

MAX_TRIES: Final = 3
TIMEOUT: Final = 30.0
"""Seconds that a fetch may take."""
_CLAIM: Final = timedelta(seconds=60)
"""How long one process keeps an attachment to itself; longer than a fetch may take."""
BACKOFF: Final = Backoff(5.0, 20.0, factor=4.0)
_LASTING: Final = frozenset({"response_too_large", "unsupported_encoding", "too_many_redirects"})

_state = NotificationEvent.attachment["state"].astext
_until = NotificationEvent.attachment["until"].astext


class FetchFailed(Exception):
    """Nothing usable came; `again` says whether another try may fare better."""

    def __init__(self, code: str, *, again: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.again = again


@dataclass(frozen=True, slots=True)
class _Claimed:
    event_id: int
    workspace_id: int
    kind: str
    url: str


def waiting() -> Waiting:
    """Events whose attachment is due to be fetched."""
    return (_due().with_only_columns(NotificationEvent.id),)


def fetch_waiting(turn: Turn) -> int:
    """Fetches what is due, one after the other, until the turn is over; returns how many were settled. Commits."""
    settled = 0
    while claimed := _claim():
        with workspace_scope(claimed.workspace_id):
            settled += _fetch_one(claimed)
        if turn.is_over():
            turn.go_on_later()
            break
    return settled


def _due() -> Any:
    now = _text(clock.now())
    return (
        select(NotificationEvent)
        .where(_state == attaching.WAITING, or_(_until.is_(None), _until <= now))
        .order_by(NotificationEvent.id)
    )


def _claim() -> _Claimed | None:
    """Takes the oldest for this process, counts the try and commits both."""
    with system_scope("attachments of all workspaces are fetched here"):
        event = db.session.scalars(_due().limit(1).with_for_update(skip_locked=True)).one_or_none()
        if event is None or event.attachment is None:
            db.session.rollback()
            return None
        carried = event.attachment
        event.attachment = carried | {"tries": carried.get("tries", 0) + 1, "until": _text(clock.now() + _CLAIM)}
        claimed = _Claimed(event.id, event.workspace_id, carried["kind"], carried["url"])
        db.session.commit()
    return claimed


def _fetch_one(claimed: _Claimed) -> int:
    try:
        stored = fetch(claimed.url, claimed.kind)
    except FetchFailed as error:
        log.info("attachment_not_fetched", event_id=claimed.event_id, code=error.code)
        return _give_up_or_wait(claimed, error)
    try:
        kept = _attach(claimed, stored)
        db.session.commit()
    except BaseException as error:
        db.session.rollback()
        attachments.files().delete(stored.key)
        if isinstance(error, OperationalError | InterfaceError) or not isinstance(error, Exception):
            raise
        return _give_up_or_wait(claimed, failure_of(error, event_id=claimed.event_id))
    if not kept:
        attachments.files().delete(stored.key)
    return 1


def fetch(url: str, kind: str, timeout: float = TIMEOUT) -> storage.StoredFile:
    """The address's content, in the storage. Raises FetchFailed. No transaction may be open."""
    try:
        return _fetch(url, kind, timeout)
    except FetchFailed:
        raise
    except OSError as error:
        raise FetchFailed(storage.storage_fault(error).code, again=True) from None
    except Exception as error:
        log.exception("fetch_defect", error=type(error).__name__)
        raise FetchFailed("internal_error", again=True) from None


def failure_of(error: Exception, **ids: object) -> FetchFailed:
    """What an error after the fetching means for the attachment: a refusal of ours lasts, a defect may be over the
    next time, and is logged."""
    if isinstance(error, AppError):
        return FetchFailed(error.code, again=isinstance(error, StorageFull | Unavailable))
    log.error("attachment_defect", error=type(error).__name__, exc_info=error, **ids)
    return FetchFailed("internal_error", again=True)


def _fetch(url: str, kind: str, timeout: float) -> storage.StoredFile:
    most = attachments.MAX_PHOTO if kind == "photo" else attachments.MAX_DOCUMENT
    client = Egress(allow_private=config.get().egress_allow_private)
    with tempfile.TemporaryFile() as sink:
        try:
            answer = client.fetch_to(sink, "GET", url, timeout=timeout, max_bytes=most)
        except EgressRefused as error:
            raise FetchFailed(error.code) from None
        except EgressFailed as error:
            raise FetchFailed(error.code, again=error.code not in _LASTING) from None
        if answer.status != 200:
            raise FetchFailed(f"http_{answer.status}", again=answer.status >= 500 or answer.status in (408, 429))
        sink.seek(0)
        try:
            stored = attachments.put(sink, max_bytes=most)
        except AppError as error:
            raise FetchFailed(error.code, again=isinstance(error, StorageFull | Unavailable)) from None
    if kind == "photo" and stored.mime not in attachments.PHOTO_TYPES:
        attachments.files().delete(stored.key)
        raise FetchFailed("not_a_picture")
    return stored


def _attach(claimed: _Claimed, stored: storage.StoredFile) -> bool:
    """Puts the file into the message; False where the message went out or ended meanwhile."""
    event = _locked(claimed)
    if event is None:
        return False
    file = attachments.record(name_of(claimed.url), stored)
    media = attachments.as_media(file, event.attachment["kind"])  # type: ignore[index]
    if _release(event, media):
        event.attachment = attaching.requested(event.attachment or {}) | {"state": "stored", "file_id": file.id}
        return True
    db.session.delete(file)
    _fail(event, "too_late")
    return False


def _give_up_or_wait(claimed: _Claimed, error: FetchFailed) -> int:
    event = _locked(claimed)
    if event is None:
        db.session.rollback()
        return 0
    carried = event.attachment or {}
    tries = carried.get("tries", 1)
    if error.again and tries < MAX_TRIES:
        event.attachment = carried | {"until": _text(clock.now() + BACKOFF.wait(tries, event.id))}
        db.session.commit()
        return 0
    _release(event, None)
    _fail(event, error.code)
    db.session.commit()
    return 1


def _locked(claimed: _Claimed) -> NotificationEvent | None:
    """The event, if its attachment is still to be settled."""
    event: NotificationEvent | None = db.session.get(
        NotificationEvent, claimed.event_id, with_for_update=True, populate_existing=True
    )
    return event if event is not None and attaching.is_waiting(event.attachment) else None


def _release(event: NotificationEvent, media: Media | None) -> bool:
    """Lets the event's message go, with the file or as it is; into quiet hours it does not go before their end."""
    message = db.session.get(Message, event.message_id, populate_existing=True) if event.message_id else None
    if message is None:
        return False
    newest = reporting.event_of(message) or event
    user = db.session.get_one(User, event.user_id)
    preferences = settings.delivery_preferences_of(user, newest.type)
    content = _with_media(message, newest, user, media, muted=preferences.muted) if media else None
    quiet = (
        quiet_until(preferences.quiet, preferences.zone, clock.now())
        if preferences.quiet and not newest.critical
        else None
    )
    reason = reporting.QUIET if quiet else "queued"
    if not delivery.release(message, content, not_before=quiet, reason=reason):
        return False
    for queued_event in {event.id: event, newest.id: newest}.values():
        queued_event.decision, queued_event.reason = ("deferred", reporting.QUIET) if quiet else ("queued", None)
    db.session.flush()
    return True


def _with_media(message: Message, newest: NotificationEvent, user: User, media: Media, *, muted: bool) -> Content:
    exists, own = rendering.type_of(newest)
    if exists:
        return rendering.content_of(newest, own, user.locale, muted=muted, media=(media,))
    # Its type was deleted meanwhile: the words stay as they are.
    content = Content.from_json(message.body["parts"][0])
    return Content(
        text=content.text, format=content.format, buttons=content.buttons, media=(media,), link_preview=False
    )


def _fail(event: NotificationEvent, code: str) -> None:
    event.attachment = attaching.requested(event.attachment or {}) | {"state": "failed", "error": code}
    if event.decision == "queued":
        event.reason = "attachment_failed"
    failures.remember(
        event.workspace_id, "attachment_failed", f"notification_events:{event.id}", event.created_at, detail=code
    )


def name_of(url: str) -> str:
    """The file's name in an address; empty where there is none."""
    with suppress(ValueError):
        return unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    return ""


def _text(moment: datetime) -> str:
    # All of one form, so that the database can compare them as text.
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


WORK: Final = register(
    Work("notification_attachments", "notifications", waiting, fetch_waiting, pool=BoundedPool("attachments", 1))
)
