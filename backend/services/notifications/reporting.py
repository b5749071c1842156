"""Reporting an event: one transaction from what happened to the message that waits in the outbox.

Nothing here talks to a provider, so no provider can fail it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from backend.channels.base import Content, Media
from backend.core import clock
from backend.core.database import db
from backend.models import Conversation, Message, NotificationEvent, NotificationSubject, NotificationType, User
from backend.services import delivery
from backend.services.auth.attribution import Attribution
from backend.services.delivery import Operations, Priority, Waiting
from backend.services.notifications import attaching, event_store, known_types, recipients, rendering, subjects
from backend.services.notifications.attaching import Attachment
from backend.services.notifications.decision import Decision, DeliveryPreferences, decide
from backend.services.notifications.subjects import CurrentMessage
from backend.services.texts import values

KIND = "notification"
QUIET = "quiet_hours"
_HELD = (QUIET, attaching.FETCHING)


def report(
    by: Attribution,
    type_name: str,
    user: User,
    data: Mapping[str, Any],
    *,
    subject: str | None = None,
    version: int | None = None,
    critical: bool = False,
    attachment: Attachment | None = None,
) -> NotificationEvent:
    """Stores an event for a person of the workspace in scope, decides on it, and stores what is to be said.

    The event says what was decided: `queued`, `deferred` (until quiet hours end or a file is there) or `suppressed`,
    with the reason. `data` has to be JSON that can be stored. An event without `version` is newer than any other of
    its subject. Raises Invalid (`unknown_event_type`, an attachment's address), NotFound (its file), TooLarge.
    """
    own = known_types.require(type_name)
    carried, media = attaching.prepare(attachment)
    recipient = recipients.read_with_event_id(user, type_name)
    conversation = recipient.conversation
    current_message = subjects.lock(user, subject, conversation) if subject else None
    now = clock.now()
    decided = decide(
        link=recipient.link_state,
        preferences=recipient.preferences,
        critical=critical,
        now=now,
        version=version,
        last_sent=current_message.last_sent if current_message else None,
    )
    event = NotificationEvent(
        id=recipient.event_id,
        workspace_id=user.workspace_id,
        type=type_name,
        user_id=user.id,
        data=dict(data),
        subject=subject,
        version=version,
        critical=critical,
        attachment=carried,
        decision=decided.decision,
        reason=decided.reason,
        actor=by.label,
        created_at=now,
    )
    if attaching.is_waiting(carried):
        # What fetches its file finds the event.
        db.session.add(event)
        db.session.flush()
    if decided.decision != "suppressed" and conversation is not None:
        pending = PendingNotification(event, own, user, recipient.preferences, conversation, media, decided)
        _send_pending(pending, current_message)
    if event.message_id is None and attaching.is_waiting(event.attachment):
        # Nothing is said that could carry it.
        event.attachment = attaching.requested(event.attachment or {})
    event_store.store(event, current_message.row if current_message else None)
    return event


class PendingNotification:
    """An event on its way into the outbox."""

    def __init__(
        self,
        event: NotificationEvent,
        own: NotificationType | None,
        user: User,
        preferences: DeliveryPreferences,
        conversation: Conversation,
        media: tuple[Media, ...],
        decided: Decision,
    ) -> None:
        self.event, self.own, self.user = event, own, user
        self.preferences, self.conversation, self.media, self.decided = preferences, conversation, media, decided

    def content(self, media: tuple[Media, ...], link: str | None) -> Content:
        """The message's content with these media."""
        return rendering.content_of(
            self.event, self.own, self.user.locale, muted=self.preferences.muted, media=media, link=link
        )

    def conclude(self, message: Message, decided: Decision) -> None:
        """Notes on the event what became of it."""
        self.event.message_id = message.id
        self.event.decision, self.event.reason = decided.decision, decided.reason
        db.session.flush()


def _send_pending(pending: PendingNotification, current_message: CurrentMessage | None) -> None:
    message = current_message.message if current_message else None
    if message is None or current_message is None or not _update(pending, message, current_message.attachment):
        message = _send(pending)
    if current_message is not None:
        current_message.record(message, pending.event.version)


def _send(pending: PendingNotification, *, link: str | None = None) -> Message:
    """A message of its own; it waits for the end of quiet hours, and for its attachment."""
    decided, event = pending.decided, pending.event
    not_before, reason = decided.until, decided.reason or "queued"
    if attaching.is_waiting(event.attachment):
        patience = clock.now() + attaching.PATIENCE
        not_before = max(patience, not_before) if not_before else patience
        if decided.decision == "queued":
            decided = Decision("deferred", attaching.FETCHING, patience)
            reason = attaching.FETCHING
        attaching.request_file(event)
    message = delivery.send(
        pending.conversation,
        pending.content(pending.media, attaching.link_of(event.attachment) or link),
        kind=KIND,
        lane=Priority.NOTIFICATION,
        key=f"event:{event.id}",
        not_before=not_before,
        reason=reason,
        expires_in=delivery.NOTIFICATION_LIFE,
        user_id=pending.user.id,
    )
    pending.conclude(message, decided)
    return message


def _update(pending: PendingNotification, message: Message, carried: dict[str, Any] | None) -> bool:
    """Has the subject's message, whose first event carried this, say the new event; False where it cannot, and a new
    message has to.

    An edit makes no sound, so quiet hours do not hold it back. A message that itself still waits for their end goes
    on waiting, unless this event may pass.
    """
    event = pending.event
    if event.attachment is not None:
        # A picture cannot be put into a message that was sent without it, nor another one in its place.
        if not attaching.same(event.attachment, carried):
            return False
        event.attachment = attaching.requested(event.attachment)
    media = _media_of(message)
    content = pending.content(media, None if media else attaching.link_of(carried))
    operations = delivery.read_operations(message)
    held = _held_until(message, operations)
    if held is None:
        delivery.edit(message, content, operations)
        pending.conclude(message, Decision("queued"))
        return True
    reason, until = held
    first = _event_of(message, first=True)
    if pending.decided.decision == "queued" and not attaching.is_waiting(first.attachment if first else None):
        delivery.release(message, content)
        pending.conclude(message, pending.decided)
    else:
        delivery.release(message, content, not_before=until, reason=reason)
        pending.conclude(message, Decision("deferred", reason, until))
    return True


def send_again(message: Message, subject: NotificationSubject) -> Message | None:
    """Tells by a new message what this one, which is gone, was to be edited into; None where that is no news, or where
    the person does not want it any more. The caller holds the subject's row."""
    first, event = _event_of(message, first=True), _event_of(message)
    if event is None or first is None or event.id == first.id:
        # What the message itself told has been seen.
        return None
    user = db.session.get_one(User, event.user_id)
    exists, own = rendering.type_of(event)
    recipient = recipients.read(user, event.type)
    preferences, conversation = recipient.preferences, recipient.conversation
    decided = decide(link=recipient.link_state, preferences=preferences, critical=event.critical, now=clock.now())
    if not exists or conversation is None or decided.decision == "suppressed":
        return None
    media = _media_of(message)
    pending = PendingNotification(event, own, user, preferences, conversation, media, decided)
    message_sent = _send(pending, link=None if media else attaching.link_of(first.attachment))
    subject.message_id, subject.updated_at = message_sent.id, clock.now()
    db.session.flush()
    return message_sent


def _held_until(message: Message, operations: Operations) -> tuple[str, datetime] | None:
    """Why and until when we keep the message back ourselves; None once the provider has it or is asked for it."""
    if not _is_held(operations.first_send()):
        return None
    # What the gate has against it counts more.
    status = delivery.status_of(message)
    if status.reason in _HELD and status.next_attempt_at and status.next_attempt_at > clock.now():
        return status.reason, status.next_attempt_at
    return None


def _is_held(waiting: Waiting | None) -> bool:
    return waiting is not None and waiting.state == "due" and waiting.reason in _HELD and waiting.due_at > clock.now()


def _event_of(message: Message, *, first: bool = False) -> NotificationEvent | None:
    order = NotificationEvent.id.asc() if first else NotificationEvent.id.desc()
    query = select(NotificationEvent).where(NotificationEvent.message_id == message.id).order_by(order)
    return db.session.scalars(query.limit(1)).one_or_none()


def _media_of(message: Message) -> tuple[Media, ...]:
    parts = [Content.from_json(part) for part in message.body["parts"]]
    return tuple(media for part in parts for media in part.media)


def event_of(message: Message) -> NotificationEvent | None:
    """The event a message tells now: the last one that was decided to be told by it."""
    return _event_of(message)


def plain_data(data: object) -> dict[str, Any]:
    """Any Python value as an event's data; anything but a mapping counts as empty."""
    return values.plain_json(data) if isinstance(data, Mapping) else {}
