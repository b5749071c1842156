"""A message object of Messenger or Instagram: written by the person, by us, or taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backend.channels.graph import reading
from backend.channels.inbound import (
    Chat,
    EchoReceived,
    InboundEvent,
    MessageDeleted,
    MessageReceived,
    Parked,
    Person,
)
from backend.channels.inbound_contents import Choice, Referral
from backend.channels.meta_messaging import attachments
from backend.channels.meta_messaging.items import Event

_MAX_REFERENCE = 2000


def message_events(event: Event, chat: Chat, person: Person | None) -> Sequence[InboundEvent]:
    """What the message of an event says."""
    content = event.content
    message_id = reading.identifier(content.get("mid"))
    if not message_id:
        return [Parked("malformed", event.kind)]
    date = moment(event.value.get("timestamp"))
    if content.get("is_deleted") is True:
        return [MessageDeleted((message_id,), chat, date)]
    is_echo = content.get("is_echo") is True
    message = _message(event, chat, None if is_echo else person, message_id, date)
    if not is_echo:
        return [message]
    metadata = reading.text(content.get("metadata"), 1000) or None
    return [EchoReceived(message, metadata, reading.identifier(content.get("app_id")) or None)]


def _message(
    event: Event, chat: Chat, person: Person | None, message_id: str, date: datetime | None
) -> MessageReceived:
    content = event.content
    attached = attachments.read(content, message_id)
    text = reading.text(content.get("text")) or attached.text
    story = attachments.story_of(content) or attached.story
    referral = referral_of(content)
    choice = _choice(content, text)
    shown = [
        ("choice", choice is not None),
        ("story", story is not None),
        *((media.kind, True) for media in attached.media[:1]),
        ("sticker", text == attachments.HEART and not content.get("text")),
        ("location", attached.location is not None),
        ("share", bool(attached.shares)),
        ("text", bool(text)),
        ("referral", referral is not None),
    ]
    kind = next((name for name, is_so in shown if is_so), "unsupported")
    return MessageReceived(
        chat=chat,
        sender=person,
        message_id=message_id,
        text=text,
        kind="unsupported" if content.get("is_unsupported") is True else kind,
        media=tuple(attached.media),
        reply_to=reading.identifier(reading.mapping(content, "reply_to").get("mid")) or None,
        date=date,
        standby=event.standby,
        location=attached.location,
        choice=choice,
        referral=referral,
        story=story,
        shares=tuple(attached.shares),
    )


def _choice(content: Mapping[str, Any], text: str) -> Choice | None:
    payload = reading.text(reading.mapping(content, "quick_reply").get("payload"), 1000)
    return Choice("button", payload, text[:1000]) if payload else None


def referral_of(holder: Mapping[str, Any]) -> Referral | None:
    """Where somebody came from, as the `referral` of an event, a message or a button says; None without one."""
    referral = reading.mapping(holder, "referral")
    if not referral:
        return None
    context = reading.mapping(referral, "ads_context_data")
    product = reading.mapping(referral, "product")
    source = reading.text(referral.get("source"), 60).lower()
    source_id = referral.get("ad_id") or context.get("post_id") or product.get("id")
    return Referral(
        source=source or ("product" if product else "link"),
        source_id=reading.identifier(source_id),
        reference=reading.text(referral.get("ref"), _MAX_REFERENCE),
        click_id=reading.text(referral.get("ctwa_clid"), 500),
        headline=reading.text(context.get("ad_title"), 1000),
        url=attachments.address(referral.get("referer_uri")) or attachments.address(context.get("photo_url")),
    )


def moment(value: Any) -> datetime | None:
    """A time in milliseconds or seconds since 1970, or written as in `2021-09-08T06:34:04+0000`; None for anything
    else."""
    known = reading.moment(value)
    if known is not None or not isinstance(value, str) or not 10 < len(value) < 40:
        return known
    try:
        written = datetime.fromisoformat(value)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
