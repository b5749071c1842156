"""The messages of an alert: sent, kept in step with it, replaced by newer ones, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Final

from sqlalchemy import select

from backend.channels.base import Content, Media
from backend.core import clock
from backend.core.database import db
from backend.models import AlertMessage, Conversation, Message, User
from backend.services import delivery, senders
from backend.services.alerts.messages import targets, texts
from backend.services.alerts.messages.targets import Destination
from backend.services.alerts.state.locked_alert import LockedAlert

FOLLOWING_ROLES: Final = ("route", "subscriber", "escalation", "admin")
"""Roles whose newest message in a chat follows the alert."""
_ENDED: Final = ("failed", "canceled", "unknown")


def send(case: LockedAlert, destinations: Sequence[Destination], note: str | None) -> list[Message]:
    """Stores the alert as it is now as a message to each of these chats; returns them, also those that cannot be sent.

    An earlier message there points to the new one. One that still waits is not followed by another: it is edited.
    """
    current = {row.conversation_id: (row, message) for row, message in current_messages(case)}
    forms = {(place.role, place.locale) for place in destinations}
    contents = {form: content_of(case, *form, note) for form in sorted(forms)}
    messages: list[Message] = []
    added: list[tuple[Destination, Message]] = []
    for place in destinations:
        content = contents[place.role, place.locale]
        row, message = current.get(place.conversation.id, (None, None))
        if row is not None and message is not None and message.state == "queued":
            row.note = note or row.note
            delivery.edit(message, content)
        else:
            message = place.send(content)
            added.append((place, message))
        messages.append(message)
    if current or case.alert.notifications:
        _supersede(case, current, {place.conversation.id for place, _ in added})
    _record(case, added, note)
    case.alert.parts = max([case.alert.parts, *(len(message.body["parts"]) for message in messages)])
    return messages


def update_messages(case: LockedAlert, *, news: bool = False) -> int:
    """Edits every message that follows the alert to show it as it is now; returns how many there are.

    `news` must be seen: where the message is gone because its reader deleted it, a new one is sent, at once or as soon
    as that is known.
    """
    case.refresh_reach()
    if news:
        for row, message in gone_messages(case):
            send_again(case, row, message)
    current = current_messages(case)
    for row, message in current:
        delivery.edit(message, content_of(case, row.role, row.locale, row.note))
        if news:
            row.news_version = message.version
    case.alert.parts = max([1, *(len(message.body["parts"]) for _, message in current)])
    case.alert.edit_at, case.alert.edited_at = None, clock.now()
    db.session.flush()
    return len(current)


def clear_notes(case: LockedAlert) -> None:
    """Why a message came is news no longer: should the alert be opened again, it does not stand there again."""
    for row, _ in current_messages(case):
        row.note = None


def send_again(case: LockedAlert, row: AlertMessage, message: Message) -> Message:
    """Sends the alert by a new message to a chat whose message is gone."""
    silent = case.alert.state == "resolved" and case.rules.quiet_recoveries
    content = content_of(case, row.role, row.locale, row.note)
    user = db.session.get(User, row.user_id) if row.role == "subscriber" and row.user_id is not None else None
    quiet = targets.quiet_of(user, case.alert) if user is not None else None
    place = replace(_destination_of(row, message, row.role), not_before=quiet)
    sent = place.send(replace(content, silent=content.silent or silent))
    row.superseded_at = clock.now()
    _record(case, [(place, sent)], row.note)
    return sent


def answer_resolved(case: LockedAlert) -> None:
    """Answers the messages in the alert's own chats: it is over."""
    view, silent = case.view(), case.rules.quiet_recoveries
    for row, message in current_messages(case):
        if row.role in ("route", "escalation"):
            place = _destination_of(row, message, "reply")
            sent = place.send(texts.reply(view, row.locale, silent=silent), reply_to=message.external_id)
            _record(case, [(place, sent)], None)


def attach(case: LockedAlert, media: Media) -> None:
    """Sends the alert's picture or document after its messages, to each chat that has one."""
    view = case.view()
    for row, message in current_messages(case):
        place = _destination_of(row, message, "attachment")
        sent = place.send(texts.attachment(view, row.locale, media), reply_to=message.external_id)
        _record(case, [(place, sent)], None)


def content_of(case: LockedAlert, role: str, locale: str, note: str | None) -> Content:
    """What a message of this role says."""
    code = case.alert.undelivered_code if role == "admin" else None
    content = texts.content(case.view(note=note, code=code), locale)
    return replace(content, silent=case.alert.severity in ("info", "debug"))


def current_messages(case: LockedAlert) -> list[tuple[AlertMessage, Message]]:
    """The messages that follow the alert, oldest first."""
    rows = db.session.execute(
        select(AlertMessage, Message)
        .join(Message, Message.id == AlertMessage.message_id)
        .where(
            AlertMessage.alert_id == case.alert.id,
            AlertMessage.superseded_at.is_(None),
            AlertMessage.failed_code.is_(None),
            AlertMessage.role.in_(FOLLOWING_ROLES),
        )
        .order_by(AlertMessage.id)
        .execution_options(populate_existing=True)
    ).all()
    return [(row, message) for row, message in rows if message.state not in _ENDED and message.gone_code is None]


def gone_messages(case: LockedAlert) -> list[tuple[AlertMessage, Message]]:
    """The messages that followed the alert until the provider refused to edit them, and that no other replaces yet."""
    rows = db.session.execute(
        select(AlertMessage, Message)
        .join(Message, Message.id == AlertMessage.message_id)
        .where(
            AlertMessage.alert_id == case.alert.id,
            AlertMessage.superseded_at.is_(None),
            AlertMessage.role.in_(FOLLOWING_ROLES),
            Message.gone_code.is_not(None),
        )
        .order_by(AlertMessage.id)
        .execution_options(populate_existing=True)
    ).all()
    return [(row, message) for row, message in rows]


def failure_of(messages: Sequence[Message]) -> str | None:
    """Why none of these messages can be delivered; None if one can."""
    if any(message.state not in _ENDED for message in messages):
        return None
    return next((message.error or message.state for message in messages), None)


def pause_of(messages: Sequence[Message]) -> str | None:
    """Why none of these messages goes out within minutes: their bots were told to rest; None if one may go."""
    waiting = [message for message in messages if message.state not in _ENDED]
    if any(message.state != "queued" for message in waiting):
        return None
    codes = [senders.long_pause_of(sender_id) for sender_id in sorted({message.sender_id for message in waiting})]
    return codes[0] if codes and None not in codes else None


def _supersede(case: LockedAlert, current: Mapping[int, tuple[AlertMessage, Message]], chats: Set[int]) -> None:
    """Has the earlier messages in these conversations point to the new ones; what is gone there is not sent again."""
    for row, message in gone_messages(case):
        if message.conversation_id in chats:
            row.superseded_at = clock.now()
    for row, message in current.values():
        if row.conversation_id in chats:
            row.superseded_at = clock.now()
            delivery.edit(message, texts.superseded(case.view(note=row.note), row.locale))


def _destination_of(row: AlertMessage, message: Message, role: str) -> Destination:
    """The chat and topic of a message, in another role."""
    conversation = db.session.get_one(Conversation, message.conversation_id)
    return Destination(conversation, role, row.locale, row.user_id, thread_id=message.body.get("thread_id"))


def _record(case: LockedAlert, added: Sequence[tuple[Destination, Message]], note: str | None) -> None:
    """Stores which messages are the alert's, to which chats and in which roles."""
    for place, message in added:
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
