"""The messages of an alert: sent, kept in step with it, replaced by newer ones. Each in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import select

from backend.channels.base import Content, Media
from backend.core import clock
from backend.core.database import db
from backend.models import AlertMessage, Conversation, Message, User
from backend.services import delivery, senders
from backend.services.alerts.lifecycle.locked_alert import LockedAlert
from backend.services.alerts.messages import targets, texts
from backend.services.alerts.messages.targets import Destination
from backend.services.delivery import Priority

KIND: Final = "alert"
LIVING: Final = ("route", "subscriber", "escalation", "admin")
"""Roles whose newest message in a chat follows the alert."""
_ENDED: Final = ("failed", "canceled", "unknown")


def say(case: LockedAlert, destinations: Sequence[Destination], note: str | None) -> list[Message]:
    """Says the alert as it is now in each of these chats; returns the messages, also those that cannot be sent.

    An earlier message there points to the new one. One that still waits is not followed by another: it says this.
    """
    alert = case.alert
    made: list[Message] = []
    known = {row.conversation_id: (row, message) for row, message in living(case)}
    lost = gone(case) if alert.notifications else []
    for place in destinations:
        content = content_of(case, place.role, place.locale, note)
        earlier = known.get(place.conversation.id)
        if earlier is not None and earlier[1].state == "queued":
            earlier[0].note = note or earlier[0].note
            delivery.edit(earlier[1], content)
            made.append(earlier[1])
            continue
        message = delivery.send(
            place.conversation,
            content,
            kind=KIND,
            lane=Priority.NOTIFICATION,
            not_before=place.not_before,
            reason="quiet_hours" if place.not_before else "queued",
            user_id=place.user_id,
            thread_id=place.thread_id,
        )
        for row, gone_message in lost:
            if gone_message.conversation_id == place.conversation.id:
                # What is gone in a chat that has a new message now is not said anew.
                row.superseded_at = clock.now()
        if earlier is not None:
            earlier[0].superseded_at = clock.now()
            delivery.edit(earlier[1], texts.superseded(case.view(note=earlier[0].note), earlier[0].locale))
        _remember(case, message, place, note)
        made.append(message)
    alert.parts = max([alert.parts, *(len(message.body["parts"]) for message in made)])
    db.session.flush()
    return made


def bring_up_to_date(case: LockedAlert, *, news: bool = False) -> int:
    """Has every living message say the alert as it is now; returns how many there are.

    `news` must be seen: where the message is gone, its reader deleted it, a new one tells them, at once or as soon as
    that is found out.
    """
    case.look_at_reach()
    if news:
        for row, message in gone(case):
            send_again(case, row, message)
    found = living(case)
    for row, message in found:
        delivery.edit(message, content_of(case, row.role, row.locale, row.note))
        if news:
            row.news_version = message.version
    case.alert.parts = max([1, *(len(message.body["parts"]) for _, message in found)])
    case.alert.edit_at, case.alert.edited_at = None, clock.now()
    db.session.flush()
    return len(found)


def clear_notes(case: LockedAlert) -> None:
    """Why a message came is news no longer: should the alert be opened again, it does not stand there again."""
    for row, _ in living(case):
        row.note = None


def send_again(case: LockedAlert, row: AlertMessage, message: Message) -> Message:
    """Says the alert by a new message in a chat whose message is gone."""
    silent = case.alert.state == "resolved" and case.rules.quiet_recoveries
    content = content_of(case, row.role, row.locale, row.note)
    user = db.session.get(User, row.user_id) if row.role == "subscriber" and row.user_id is not None else None
    place = Destination(
        _chat_of(message),
        row.role,
        row.locale,
        row.user_id,
        thread_id=message.body.get("thread_id"),
        not_before=targets.quiet_of(user, case.alert) if user is not None else None,
    )
    sent = delivery.send(
        place.conversation,
        replace(content, silent=content.silent or silent),
        kind=KIND,
        lane=Priority.NOTIFICATION,
        not_before=place.not_before,
        reason="quiet_hours" if place.not_before else "queued",
        user_id=place.user_id,
        thread_id=place.thread_id,
    )
    row.superseded_at = clock.now()
    _remember(case, sent, place, row.note)
    return sent


def answer_resolved(case: LockedAlert) -> None:
    """Answers the living messages of the alert's own chats: it is over."""
    view, silent = case.view(), case.rules.quiet_recoveries
    for row, message in living(case):
        if row.role not in ("route", "escalation"):
            continue
        place = Destination(_chat_of(message), "reply", row.locale, row.user_id)
        sent = delivery.send(
            place.conversation,
            texts.reply(view, row.locale, silent=silent),
            kind=KIND,
            reply_to=message.external_id,
            thread_id=message.body.get("thread_id"),
        )
        _remember(case, sent, place, None)


def attach(case: LockedAlert, media: Media) -> None:
    """Sends the alert's picture or document after its messages, to each chat that has one."""
    for row, message in living(case):
        words = texts.attachment(case.view(), row.locale)
        place = Destination(_chat_of(message), "attachment", row.locale, row.user_id)
        sent = delivery.send(
            place.conversation,
            Content(words, media=(media,), silent=True),
            kind=KIND,
            user_id=row.user_id,
            reply_to=message.external_id,
            thread_id=message.body.get("thread_id"),
        )
        _remember(case, sent, place, None)


def content_of(case: LockedAlert, role: str, locale: str, note: str | None) -> Content:
    """What a message of this role says."""
    code = case.alert.undelivered_code if role == "admin" else None
    content = texts.content(case.view(note=note, code=code), locale)
    return replace(content, silent=case.alert.severity in ("info", "debug"))


def living(case: LockedAlert) -> list[tuple[AlertMessage, Message]]:
    """The messages that follow the alert, oldest first."""
    rows = db.session.execute(
        select(AlertMessage, Message)
        .join(Message, Message.id == AlertMessage.message_id)
        .where(
            AlertMessage.alert_id == case.alert.id,
            AlertMessage.superseded_at.is_(None),
            AlertMessage.failed_code.is_(None),
            AlertMessage.role.in_(LIVING),
        )
        .order_by(AlertMessage.id)
        .execution_options(populate_existing=True)
    ).all()
    return [(row, message) for row, message in rows if message.state not in _ENDED and message.gone_code is None]


def gone(case: LockedAlert) -> list[tuple[AlertMessage, Message]]:
    """The messages that followed the alert until the provider refused to edit them, and that no other replaces yet."""
    rows = db.session.execute(
        select(AlertMessage, Message)
        .join(Message, Message.id == AlertMessage.message_id)
        .where(
            AlertMessage.alert_id == case.alert.id,
            AlertMessage.superseded_at.is_(None),
            AlertMessage.role.in_(LIVING),
            Message.gone_code.is_not(None),
        )
        .order_by(AlertMessage.id)
        .execution_options(populate_existing=True)
    ).all()
    return [(row, message) for row, message in rows]


def failed(messages: Sequence[Message]) -> str | None:
    """Why none of these messages can be delivered; None if one can."""
    if any(message.state not in _ENDED for message in messages):
        return None
    return next((message.error or message.state for message in messages), None)


def held_up(messages: Sequence[Message]) -> str | None:
    """Why none of these messages goes out within minutes: their bots were told to rest; None if one may go."""
    waiting = [message for message in messages if message.state not in _ENDED]
    if any(message.state != "queued" for message in waiting):
        return None
    codes = [senders.long_pause_of(one) for one in sorted({message.sender_id for message in waiting})]
    return codes[0] if codes and None not in codes else None


def _chat_of(message: Message) -> Conversation:
    return db.session.get_one(Conversation, message.conversation_id)


def _remember(case: LockedAlert, message: Message, place: Destination, note: str | None) -> None:
    db.session.add(
        AlertMessage(
            workspace_id=case.alert.workspace_id,
            alert_id=case.alert.id,
            message_id=message.id,
            conversation_id=place.conversation.id,
            role=place.role,
            user_id=place.user_id,
            locale=place.locale,
            note=note,
            failed_code=message.error if message.state in _ENDED else None,
            created_at=clock.now(),
        )
    )
    db.session.flush()
