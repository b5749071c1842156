"""What a message says: its text, command and files, and whether its sender wrote it themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from backend.channels.inbound import (
    Chat,
    Command,
    Ignored,
    InboundEvent,
    MessageReceived,
    Parked,
    ReceivedMedia,
)
from backend.channels.telegram_bot import reading

# Accounts of Telegram's own that stand in for a sender: GroupAnonymousBot and Channel_Bot.
_STAND_INS = frozenset({"1087968824", "136817688"})
_FORWARD_MARKS = (
    "forward_origin",
    "forward_date",
    "forward_from",
    "forward_from_chat",
    "forward_sender_name",
    "is_automatic_forward",
)
# Words chosen by an inline bot and sent with one tap are no more the sender's own than a forwarded message.
_NOT_OWN_WORDS = (*_FORWARD_MARKS, "via_bot")
# An animation also comes as a document, so it stands first.
_FILES = ("animation", "document", "video", "audio", "voice", "video_note", "sticker")
_OTHER_KINDS = (
    "location",
    "venue",
    "contact",
    "poll",
    "dice",
    "game",
    "story",
    "paid_media",
    "checklist",
    "invoice",
)
# What stands on every message and says nothing about its kind; the rest names a service message.
_COMMON = frozenset(
    {
        "message_id", "message_thread_id", "is_topic_message", "media_group_id", "date", "edit_date", "chat",
        "from", "sender_chat", "sender_boost_count", "sender_business_bot", "business_connection_id",
        "via_bot", "author_signature", "reply_to_message", "has_protected_content", "is_from_offline",
        "reply_markup", "entities", *_FORWARD_MARKS,
    }
)  # fmt: skip
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,64})(?:@([A-Za-z0-9_]{1,64}))?(?:\s+(.*))?", re.DOTALL)


def message_of(content: Mapping[str, Any], chat: Chat, *, edited: bool, channel_post: bool) -> InboundEvent:
    """The event of a message object: `MessageReceived`, or `Ignored` for a service message."""
    message_id = reading.identifier(content.get("message_id"))
    if message_id is None:
        return Parked("malformed", "message.message_id")
    media = _media(content)
    kind = _kind(content, media)
    if kind is None:
        service = next((name for name in content if name not in _COMMON), "empty")
        return Ignored(reading.bounded(f"message.{service}"))
    text = reading.text_of(content.get("text")) or reading.text_of(content.get("caption"))
    sender = reading.person_of(content.get("from"))
    reply = content.get("reply_to_message")
    return MessageReceived(
        chat=chat,
        sender=sender,
        message_id=message_id,
        text=text,
        kind=kind,
        command=command_of(text) if kind == "text" else None,
        media=media,
        thread_id=reading.thread_of(dict(content)),
        forwarded=any(content.get(mark) not in (None, False) for mark in _NOT_OWN_WORDS),
        edited=edited,
        channel_post=channel_post,
        anonymous=content.get("sender_chat") is not None or (sender is not None and sender.id in _STAND_INS),
        reply_to=reading.identifier(reply.get("message_id")) if isinstance(reply, dict) else None,
        date=reading.time_of(content.get("date")),
    )


def command_of(text: str) -> Command | None:
    """`/name payload`, in groups `/name@bot payload`; None for any other text."""
    match = _COMMAND.fullmatch(text)
    if match is None:
        return None
    return Command(name=match[1].lower(), addressed_to=match[2], payload=(match[3] or "").strip())


def _kind(content: Mapping[str, Any], media: tuple[ReceivedMedia, ...]) -> str | None:
    if isinstance(content.get("text"), str):
        return "text"
    if media:
        return media[0].kind
    return next((name for name in _OTHER_KINDS if content.get(name) is not None), None)


def _media(content: Mapping[str, Any]) -> tuple[ReceivedMedia, ...]:
    sizes = content.get("photo")
    if isinstance(sizes, list) and sizes:
        # Telegram lists the sizes of one picture from small to large.
        largest = _file("photo", sizes[-1])
        return (largest,) if largest else ()
    for kind in _FILES:
        if (file := _file(kind, content.get(kind))) is not None:
            return (file,)
    return ()


def _file(kind: str, value: object) -> ReceivedMedia | None:
    if not isinstance(value, dict) or not isinstance(file_id := value.get("file_id"), str) or not file_id:
        return None
    return ReceivedMedia(
        kind=kind,
        external_file_id=reading.text_of(file_id),
        unique_id=reading.optional_text(value.get("file_unique_id")),
        filename=reading.optional_text(value.get("file_name")),
        mime=reading.optional_text(value.get("mime_type")),
        size=reading.size_of(value.get("file_size")),
    )
