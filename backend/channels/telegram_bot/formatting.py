"""Texts for the Bot API: HTML mode, its lengths, and how a message becomes several.

`split` is what makes everything fit; nothing here shortens a message's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backend.channels import richtext
from backend.channels.base import Content, Media, TextFormat
from backend.channels.richtext import Run
from backend.channels.telegram_bot import limits

_PHOTO_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})


def runs_of(text: str, text_format: TextFormat) -> list[Run]:
    """The text's runs in either format."""
    return richtext.read(text) if text_format == "html" else richtext.plain(text)


def split_html(text: str, limit: int = limits.TEXT_UNITS) -> list[str]:
    """The text in parts that Telegram takes: at most `limit` UTF-16 units after entity parsing, 100 entities
    and 32,768 bytes each, whole lines where they fit, all tags closed and opened again. Blank text has no
    parts."""
    return [richtext.write(part) for part in _split(richtext.read(text), limit)]


def _split(runs: Sequence[Run], limit: int) -> list[list[Run]]:
    parts: list[list[Run]] = []
    for part in richtext.split(runs, limit):
        if not richtext.has_visible(richtext.visible(part)):
            # Telegram refuses a text that nobody would see, and the parts after it would not be sent.
            continue
        small = len(richtext.write(part).encode()) <= limits.TEXT_BYTES
        length = richtext.utf16_length(richtext.visible(part))
        if (small and richtext.count_tags(part) <= limits.ENTITIES) or length <= 1:
            parts.append(part)
        else:
            parts += _split(part, max(length // 2, 1))
    return parts


def fallback_text(text: str, limit: int) -> str:
    """The same as plain text, with the links' addresses where there is room for them."""
    runs = richtext.read(text)
    readable = richtext.without_markup(runs)
    return readable if richtext.utf16_length(readable) <= limit else richtext.visible(runs)


def split(content: Content) -> list[Content]:
    """The contents that are one operation each: albums of one kind first, the caption on the last of them
    when the text fits there, else texts after them; the buttons on the last part. An album has no buttons, so
    its last item goes alone where nothing else could carry them."""
    albums = _albums([as_sendable(item) for item in content.media])
    runs = runs_of(content.text, content.format)
    blank = not richtext.has_visible(richtext.visible(runs))
    captioned: list[list[Run]] = []
    if albums and not blank:
        captioned = _split(runs, limits.CAPTION_UNITS)
    one_caption = len(captioned) == 1 and not (content.buttons and len(albums[-1]) > 1)
    if content.buttons and blank and albums and len(albums[-1]) > 1:
        albums[-1:] = [albums[-1][:-1], albums[-1][-1:]]
    bare = replace(content, text="", buttons=(), media=())
    parts = [replace(bare, media=tuple(album)) for album in albums]
    if one_caption:
        parts[-1] = replace(parts[-1], text=_written(captioned[0], content.format))
    elif not blank:
        texts = _split(runs, limits.TEXT_UNITS)
        parts += [replace(bare, text=_written(part, content.format)) for part in texts]
    if not parts:
        parts = [bare]
    parts[-1] = replace(parts[-1], buttons=content.buttons)
    return parts


def _written(runs: Sequence[Run], text_format: TextFormat) -> str:
    return richtext.write(runs) if text_format == "html" else richtext.visible(runs)


def as_sendable(item: Media) -> Media:
    """A picture that Telegram would refuse as a photo (over 10 MB, or of another type) goes as a document."""
    odd = item.mime is not None and item.mime.split(";")[0].strip().lower() not in _PHOTO_TYPES
    if item.kind == "photo" and item.external_file_id is None and (odd or (item.size or 0) > limits.PHOTO_BYTES):
        return replace(item, kind="document")
    return item


def _albums(media: Sequence[Media]) -> list[list[Media]]:
    """Neighbours of one kind, at most ten; Telegram does not mix documents with photos."""
    albums: list[list[Media]] = []
    for item in media:
        if albums and albums[-1][0].kind == item.kind and len(albums[-1]) < limits.ALBUM:
            albums[-1].append(item)
        else:
            albums.append([item])
    return albums
