"""What a message is and how it was written, also of messages that were stored before either was noted. Pure."""

from __future__ import annotations

from typing import Final

from backend.models import Message
from backend.services.inbox.texts import parts_of

_SHOWN: Final = frozenset(
    {
        "text", "photo", "video", "video_note", "voice", "audio", "animation", "sticker", "document", "location",
        "venue", "contact", "contacts", "poll", "call", "service", "choice", "order", "story", "share", "referral",
        "system", "template", "unsupported",
    }
)  # fmt: skip
_VIA: Final = {
    "campaign": "campaign",
    "provider_reply": "provider",
    "notification": "notification",
    "alert": "notification",
    "scheduled": "notification",
    "assistant": "assistant",
    "import": "import",
}


def kind_of(message: Message, file_kind: str | None = None) -> str:
    """What it consists of: `text`, a kind of file, `template` or what else a message holds."""
    if message.direction == "in" and message.kind in _SHOWN and message.kind != "text":
        return message.kind
    for part in parts_of(message.body):
        if part.get("template"):
            return "template"
        for media in (*part.get("media", ()), *part.get("received", ())):
            if isinstance(media, dict) and media.get("kind") in _SHOWN:
                return str(media["kind"])
    return file_kind if file_kind in _SHOWN else "text"


def via_of(message: Message) -> str:
    """How it was written; of an inbound message always at the provider."""
    if message.via is not None:
        return message.via
    if message.direction == "in":
        return "provider"
    # What bots answer by themselves has no person behind it.
    return _VIA.get(message.kind, "assistant" if message.lane == 0 else "notification")
