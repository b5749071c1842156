"""What is attached to a message: files, shared posts, stories, places, as plain values.

A file's id is the message's id, its place in the message and its address: the address expires, and the message can be
asked for a new one (`FileId`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from backend.channels.graph import reading
from backend.channels.inbound import ReceivedMedia
from backend.channels.inbound_contents import Location, Share, Story

HEART: Final = "\u2764\ufe0f"
_MEDIA: Final = {
    "image": "photo",
    "animated_image": "photo",
    "video": "video",
    "audio": "audio",
    "file": "document",
    "sticker": "sticker",
}
_MAX_ATTACHMENTS: Final = 30
"""A message has ten at most."""
_MAX_ADDRESS: Final = 4096
_ADDRESS: Final = re.compile(r"https?://[\x21-\x7e]+", re.ASCII)
_MAX_TITLE: Final = 1000


@dataclass(frozen=True, slots=True)
class FileId:
    """Where a file that somebody sent is attached: the message, the place in it, and the address that was given with it
    (which expires; empty where there was none)."""

    message_id: str
    place: int = 0
    url: str = ""

    def __str__(self) -> str:
        return f"{self.message_id} {self.place} {self.url}".rstrip()

    @classmethod
    def read(cls, value: str) -> FileId:
        """The file that `str` named; a single word is a message's id."""
        message_id, _, rest = value.partition(" ")
        place, _, url = rest.partition(" ")
        return cls(message_id, int(place) if place.isascii() and place.isdigit() and len(place) < 4 else 0, url)


@dataclass(slots=True)
class Attachments:
    """What a message has besides its text. `unknown` are kinds that nothing here can show."""

    media: list[ReceivedMedia] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    story: Story | None = None
    location: Location | None = None
    text: str = ""
    unknown: list[str] = field(default_factory=list)


def read(message: Mapping[str, Any], message_id: str) -> Attachments:
    """The attachments of a message object."""
    attached = Attachments()
    listed = message.get("attachments")
    for place, attachment in enumerate(listed[:_MAX_ATTACHMENTS] if isinstance(listed, list) else ()):
        if isinstance(attachment, dict):
            _add(attached, attachment, FileId(message_id, place))
    return attached


def story_of(message: Mapping[str, Any]) -> Story | None:
    """The story that a message replies to."""
    story = reading.mapping(message, "reply_to", "story")
    if not story:
        return None
    return Story("reply", reading.identifier(story.get("id")), address(story.get("url")))


def address(value: Any) -> str:
    """A web address; empty for what is none."""
    if not isinstance(value, str) or len(value) > _MAX_ADDRESS:
        return ""
    return value if _ADDRESS.fullmatch(value) else ""


def _add(attached: Attachments, attachment: Mapping[str, Any], file: FileId) -> None:
    kind = reading.text(attachment.get("type"), 60).lower()
    payload = reading.mapping(attachment, "payload")
    url = address(payload.get("url")) or address(attachment.get("url"))
    title = reading.text(payload.get("title") or attachment.get("title"), _MAX_TITLE)
    if kind in _MEDIA:
        is_sticker = kind == "image" and reading.identifier(payload.get("sticker_id")) != ""
        attached.media.append(_media("sticker" if is_sticker else _MEDIA[kind], file, url))
    elif kind == "like_heart":
        attached.text = HEART
    elif kind == "story_mention":
        attached.story = Story("mention", reading.identifier(payload.get("id")), url)
        # A picture or a video, shown for a day: which of them its bytes say.
        attached.media.append(_media("document", file, url))
    elif kind == "location" and (place := _location(payload, title)) is not None:
        attached.location = place
    elif kind == "template":
        _share(attached, Share(kind, url, title or _title_of(payload)))
    elif kind and (url or title):
        _share(attached, Share(kind, url, title))
    else:
        attached.unknown.append(kind or "none")


def _media(kind: str, file: FileId, url: str) -> ReceivedMedia:
    filename = None
    if kind == "document" and url:
        try:
            filename = reading.text(unquote(urlsplit(url).path.rsplit("/", 1)[-1]), 200) or None
        except ValueError:
            filename = None
    return ReceivedMedia(kind, str(FileId(file.message_id, file.place, url)), filename=filename)


def _share(attached: Attachments, share: Share) -> None:
    """Adds what was passed on; Instagram names a post twice, by its old and by its new word."""
    for place, known in enumerate(attached.shares):
        if known.url == share.url and {known.kind, share.kind} == {"share", "ig_post"}:
            attached.shares[place] = share if share.kind == "ig_post" else known
            return
    attached.shares.append(share)


def _location(payload: Mapping[str, Any], title: str) -> Location | None:
    coordinates = reading.mapping(payload, "coordinates")
    latitude, longitude = _degrees(coordinates.get("lat"), 90), _degrees(coordinates.get("long"), 180)
    return None if latitude is None or longitude is None else Location(latitude, longitude, title)


def _degrees(value: Any, most: int) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        return None
    return float(value)


def _title_of(payload: Mapping[str, Any]) -> str:
    """The words of a template: its text, or the title of its first element."""
    for holder in (payload, reading.mapping(payload, "product")):
        element = reading.first(holder.get("elements"))
        words = holder.get("text") or element.get("title") or element.get("subtitle")
        if title := reading.text(words, _MAX_TITLE):
            return title
    return ""
