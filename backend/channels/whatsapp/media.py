"""Files to send: what WhatsApp takes as a picture, a video, a voice note, and what goes as a document instead."""

from __future__ import annotations

import mimetypes
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Final

from backend.channels.base import Media
from backend.channels.errors import Rejected

MB: Final = 1024 * 1024
IMAGE_BYTES: Final = 5 * MB
VIDEO_BYTES: Final = 16 * MB
AUDIO_BYTES: Final = 16 * MB
DOCUMENT_BYTES: Final = 100 * MB
STICKER_BYTES: Final = 500 * 1024
SIZES: Final = {
    "photo": IMAGE_BYTES,
    "video": VIDEO_BYTES,
    "audio": AUDIO_BYTES,
    "voice": AUDIO_BYTES,
    "document": DOCUMENT_BYTES,
    "sticker": STICKER_BYTES,
}
CAPTIONED: Final = ("image", "video", "document")
"""What may carry a text of its own."""

_IMAGES: Final = ("image/jpeg", "image/png")
_VIDEOS: Final = ("video/mp4", "video/3gpp")
_AUDIOS: Final = ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg")
_DOCUMENT: Final = "application/octet-stream"
_ALIASES: Final = {
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/mp3": "audio/mpeg",
    "audio/opus": "audio/ogg",
    "application/ogg": "audio/ogg",
    "video/3gp": "video/3gpp",
    "image/jpg": "image/jpeg",
}
_UNNAMED: Final = "text/plain"
_KEPT_SECONDS: Final = 20 * 86_400.0
_KEPT: Final = 2_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file as WhatsApp is to get it: its kind there, name and type. `voice` shows it as a voice note."""

    kind: str
    filename: str
    mime: str
    voice: bool = False


def prepare(media: Media) -> Prepared:
    """How a file goes out. Raises Rejected(`file_too_large`) for one that not even fits as a document.

    A type that WhatsApp does not take, or one too large for its kind, goes as a document. A voice note is opus in an
    ogg file, or what Safari records (mp4), as plain audio.
    """
    mime = _mime_of(media)
    prepared = _of_kind(media, mime)
    most = _limit(prepared)
    if media.size is not None and media.size > most and prepared.kind != "document":
        prepared, most = _document(media, mime), DOCUMENT_BYTES
    if media.size is not None and media.size > most:
        raise Rejected("file_too_large")
    return prepared


def _mime_of(media: Media) -> str:
    named = (media.mime or "").partition(";")[0].strip().lower()
    if not named or named == _DOCUMENT:
        named = mimetypes.guess_type(media.filename or "")[0] or named
    return _ALIASES.get(named, named)


def _of_kind(media: Media, mime: str) -> Prepared:
    if media.kind == "photo" and mime in _IMAGES:
        return Prepared("image", media.filename or "picture", mime)
    if media.kind == "video" and mime in _VIDEOS:
        return Prepared("video", media.filename or "video.mp4", mime)
    if media.kind in ("audio", "voice") and mime in _AUDIOS:
        return _audio(media, mime)
    if media.kind == "sticker" and mime == "image/webp":
        return Prepared("sticker", media.filename or "sticker.webp", mime)
    if media.kind == "photo" and not mime:
        return Prepared("image", media.filename or "picture.jpg", "image/jpeg")
    return _document(media, mime)


def _audio(media: Media, mime: str) -> Prepared:
    if mime != "audio/ogg":
        return Prepared("audio", media.filename or "audio", mime)
    stem = (media.filename or "voice").rpartition(".")[0] or media.filename or "voice"
    # Another name than one in .ogg, or a type without its codec, is accepted and refused after it was sent (131053).
    return Prepared("audio", f"{stem}.ogg", "audio/ogg; codecs=opus", voice=media.kind == "voice")


def _document(media: Media, mime: str) -> Prepared:
    name = media.filename or "file"
    known = mime if mime and not mime.startswith(("audio/", "video/", "image/")) else ""
    if known in ("", _DOCUMENT):
        # WhatsApp takes no file without a type; the name still says what it is.
        guessed = mimetypes.guess_type(name)[0] or ""
        known = guessed if guessed and not guessed.startswith(("audio/", "video/", "image/")) else _UNNAMED
    return Prepared("document", name, known)


def _limit(prepared: Prepared) -> int:
    limits = {"image": IMAGE_BYTES, "video": VIDEO_BYTES, "audio": AUDIO_BYTES, "sticker": STICKER_BYTES}
    return limits.get(prepared.kind, DOCUMENT_BYTES)


class Uploads:
    """The ids of files that were uploaded by this process, by number and file. An id is good for thirty days; a file
    that took longer than its sender's lease is so not uploaded again, and neither is one that goes to many people."""

    def __init__(self) -> None:
        self._ids: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        self._lock = Lock()

    def get(self, number: str, media: Media) -> str | None:
        """The id of this file at this number; None where it has to be uploaded."""
        if media.storage_key is None:
            return None
        with self._lock:
            known = self._ids.get((number, media.storage_key))
        return known[0] if known is not None and known[1] > monotonic() else None

    def put(self, number: str, media: Media, media_id: str) -> None:
        """Remembers an id; the oldest are forgotten."""
        if media.storage_key is None:
            return
        with self._lock:
            self._ids[(number, media.storage_key)] = (media_id, monotonic() + _KEPT_SECONDS)
            while len(self._ids) > _KEPT:
                self._ids.popitem(last=False)

    def forget(self, number: str, media: Media) -> None:
        """The platform no longer knows the id."""
        with self._lock:
            self._ids.pop((number, media.storage_key or ""), None)
