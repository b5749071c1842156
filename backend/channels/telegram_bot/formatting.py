"""Texts for the Bot API: HTML mode, its lengths, and how a message becomes several.

`split` is what makes everything fit; nothing here shortens a message's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backend.channels import richtext
from backend.channels.base import Content, Media, TextFormat
from backend.channels.forms import AS_MEANT, Form
from backend.channels.richtext import Run
from backend.channels.telegram_bot import decorations, limits

_ENTITY, _ADDRESS_HEAD = 12, 8
"""Bytes of a packed entity, and what an address in it takes besides its own at most."""
_PHOTO_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})


def runs_of(text: str, text_format: TextFormat) -> list[Run]:
    """The text's runs in either format."""
    return richtext.read(text) if text_format == "html" else richtext.plain(text)


def split_html(text: str, limit: int = limits.TEXT_UNITS) -> list[str]:
    """The text in parts that Telegram takes: at most `limit` UTF-16 units after entity parsing, 100 entities of 9,000
    bytes with their addresses, and 32,768 bytes each, whole lines where they fit, all tags closed and opened again.
    Blank text has no parts."""
    return [richtext.write(part) for part in _split(richtext.read(text), limit)]


def _split(runs: Sequence[Run], limit: int) -> list[list[Run]]:
    parts: list[list[Run]] = []
    for part in richtext.split(runs, limit):
        if not richtext.has_visible(richtext.visible(part)):
            # Telegram refuses a text that nobody would see, and the parts after it would not be sent.
            continue
        length = richtext.utf16_length(richtext.visible(part))
        if _is_small(part) or length <= 1:
            parts.append(part)
        else:
            parts += _split(part, max(length * 2 // 3, 1))
    return parts


def _is_small(runs: Sequence[Run]) -> bool:
    """Whether a text's markup is within Telegram's bounds."""
    if richtext.count_tags(runs) > limits.ENTITIES or entity_bytes(runs) > limits.ENTITY_BYTES:
        return False
    return len(richtext.write(runs).encode()) <= limits.TEXT_BYTES


def entity_bytes(runs: Sequence[Run]) -> int:
    """How large the text's entities are as Telegram packs them: twelve bytes each, and a link's address."""
    total = 0
    opened: tuple[richtext.Style, ...] = ()
    for run in runs:
        for style in run.styles:
            if style not in opened:
                total += _ENTITY + (len(style.href.encode()) + _ADDRESS_HEAD if style.href else 0)
        opened = run.styles
    return total


def split(content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
    """The contents that are one operation each: albums of one kind first, the caption on the last of them
    when the text fits there, else texts after them; the buttons on the last part. An album has no buttons, so
    its last item goes alone where nothing else could carry them. `first` is the first part's place in its message."""
    content = decorations.applied(content, form)
    albums = _albums([as_sendable(item, as_document=form.as_documents) for item in content.media])
    if form.media_kept is not None:
        albums = albums[: max(form.media_kept - first, 0)]
    caption, text = limits.CAPTION_UNITS >> form.narrower, limits.TEXT_UNITS >> form.narrower
    runs = runs_of(content.text, content.format)
    blank = not richtext.has_visible(richtext.visible(runs))
    captioned: list[list[Run]] = []
    if albums and not blank and form.media_kept is None and albums[-1][0].kind != "sticker":
        captioned = _split(runs, caption)
    one_caption = len(captioned) == 1 and not (content.buttons and len(albums[-1]) > 1)
    if content.buttons and blank and albums and len(albums[-1]) > 1:
        albums[-1:] = [albums[-1][:-1], albums[-1][-1:]]
    bare = replace(content, text="", buttons=(), media=())
    parts = [replace(bare, media=tuple(album)) for album in albums]
    if one_caption:
        parts[-1] = replace(parts[-1], text=_written(captioned[0], content.format))
    elif not blank:
        parts += [replace(bare, text=_written(part, content.format)) for part in _split(runs, text)]
    if not parts:
        parts = [bare]
    parts[-1] = replace(parts[-1], buttons=content.buttons)
    return parts


def _written(runs: Sequence[Run], text_format: TextFormat) -> str:
    return richtext.write(runs) if text_format == "html" else richtext.visible(runs)


def as_sendable(item: Media, *, as_document: bool = False) -> Media:
    """A picture that Telegram would refuse as a photo (over 10 MB, or of another type) goes as a document; with
    `as_document` every picture that is not one of Telegram's own."""
    odd = as_document or (item.mime is not None and item.mime.split(";")[0].strip().lower() not in _PHOTO_TYPES)
    if item.kind == "photo" and item.external_file_id is None and (odd or (item.size or 0) > limits.PHOTO_BYTES):
        return replace(item, kind="document")
    return item


def _albums(media: Sequence[Media]) -> list[list[Media]]:
    """Neighbours of one kind, at most ten; Telegram does not mix documents with photos, and voice notes and stickers go
    alone."""
    albums: list[list[Media]] = []
    for item in media:
        alone = item.kind in ("voice", "sticker")
        if albums and not alone and albums[-1][0].kind == item.kind and len(albums[-1]) < limits.ALBUM:
            albums[-1].append(item)
        else:
            albums.append([item])
    return albums
