"""What becomes of an event's attachment that was given as an address: the files service fetches it, its message waits.

An event's attachment is `waiting` until its file is `stored` or the fetching has `failed`; then its message is
released: with the file, or with the address in its text. Should nobody fetch, the message goes out by itself when its
patience ends.
"""

from __future__ import annotations

from backend.channels.base import Content, Media
from backend.core import clock, events
from backend.core.database import db
from backend.models import Message, NotificationEvent, User
from backend.services import delivery, files
from backend.services.files import FileFetched, FileFetchFailed
from backend.services.notifications import attaching, failures, rendering, reporting, settings
from backend.services.texts.quiet_hours import quiet_until


def on_fetched(fetched: FileFetched) -> None:
    """Puts the file into the message; throws it away where the message went out or ended meanwhile."""
    if fetched.owner_kind != attaching.OWNER:
        return
    event = _locked(fetched.owner_id)
    if event is None:
        files.discard(fetched.file_id)
        return
    media = files.as_media(files.get(fetched.file_id), event.attachment["kind"])  # type: ignore[index]
    if _release(event, media):
        event.attachment = attaching.requested(event.attachment or {}) | {"state": "stored", "file_id": fetched.file_id}
        return
    files.discard(fetched.file_id)
    _fail(event, "too_late")


def on_fetch_failed(failed: FileFetchFailed) -> None:
    """Lets the message go with the address in its text."""
    event = _locked(failed.owner_id) if failed.owner_kind == attaching.OWNER else None
    if event is not None:
        _release(event, None)
        _fail(event, failed.code)


def _locked(event_id: int) -> NotificationEvent | None:
    """The event, if its attachment is still to be settled."""
    event: NotificationEvent | None = db.session.get(
        NotificationEvent, event_id, with_for_update=True, populate_existing=True
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


events.subscribe(FileFetched, on_fetched)
events.subscribe(FileFetchFailed, on_fetch_failed)
