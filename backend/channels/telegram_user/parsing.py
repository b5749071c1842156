"""What a stored update of an account means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backend.channels.inbound import (
    CallReceived,
    Chat,
    EchoReceived,
    Ignored,
    InboundEvent,
    MessageDeleted,
    MessageReceived,
    Parked,
    Person,
    ReactionChanged,
    ReadMarkReceived,
    ReceivedMedia,
)
from backend.channels.richtext import storable
from backend.channels.telegram_user import stored


def parse(piece: bytes) -> Sequence[InboundEvent]:
    """The event of a stored update; Parked where it cannot be read."""
    update = stored.unpack(piece)
    if update is None:
        return [Parked("unparsable")]
    try:
        return [_event(update)]
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        return [Parked("malformed", type(error).__name__)]


def _event(update: Mapping[str, Any]) -> InboundEvent:
    kind, date = update["kind"], _time(update.get("date"))
    if kind == "deleted":
        return MessageDeleted(tuple(str(int(number)) for number in update["ids"]), date=date)
    person = _person(update.get("person"))
    chat = Chat(str(int(update["chat"])), "private", name=person.name if person else None)
    if kind == "read":
        return ReadMarkReceived(chat, str(int(update["max_id"])), date)
    if kind == "reaction":
        emoji = update.get("emoji")
        return ReactionChanged(chat, person, str(int(update["id"])), None if emoji is None else storable(emoji), date)
    if kind == "call":
        seconds = update.get("seconds")
        return CallReceived(
            chat, person, str(update["id"]), str(update["state"]), None if seconds is None else int(seconds), date
        )
    if update.get("service"):
        return Ignored(str(update["service"])[:100])
    message = _message(update, chat, person, date)
    return EchoReceived(message) if update.get("out") else message


def _message(update: Mapping[str, Any], chat: Chat, person: Person | None, date: datetime | None) -> MessageReceived:
    media = update.get("media")
    return MessageReceived(
        chat=chat,
        sender=None if update.get("out") else person,
        message_id=str(int(update["id"])),
        text=storable(str(update.get("text") or "")),
        kind=storable(str(media["kind"])) if media else "text",
        media=(_media(media),) if media and media.get("id") else (),
        forwarded=bool(update.get("forwarded")),
        edited=bool(update.get("edited")),
        reply_to=str(int(update["reply_to"])) if update.get("reply_to") else None,
        date=date,
        automatic=bool(update.get("automatic")),
    )


def _media(media: Mapping[str, Any]) -> ReceivedMedia:
    size, name, mime = media.get("size"), media.get("name"), media.get("mime")
    return ReceivedMedia(
        kind=storable(str(media["kind"])),
        external_file_id=str(media["id"]),
        filename=None if name is None else storable(str(name)),
        mime=None if mime is None else storable(str(mime)),
        size=None if size is None else int(size),
    )


def _person(person: Mapping[str, Any] | None) -> Person | None:
    if person is None:
        return None
    username, language, phone = person.get("username"), person.get("language"), person.get("phone")
    return Person(
        id=str(int(person["id"])),
        name=storable(str(person.get("name") or "")),
        username=None if username is None else storable(str(username)),
        language=None if language is None else storable(str(language)),
        is_bot=bool(person.get("is_bot")),
        phone=None if phone is None else storable(str(phone)),
    )


def _time(seconds: Any) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
