"""Parts of a message: one where it fits, because WhatsApp charges for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from backend.channels import richtext
from backend.channels.base import Button, Content, Media
from backend.channels.forms import Form
from backend.channels.whatsapp import media as files

TEXT_CHARACTERS: Final = 4096
CAPTION_CHARACTERS: Final = 1024
BUTTONS: Final = 3
BUTTON_CHARACTERS: Final = 20
BUTTON_DATA_CHARACTERS: Final = 256
_WITH_HEADER: Final = ("image", "video", "document")


def split(content: Content, form: Form) -> list[Content]:
    """The parts that are one send each, in order; buttons on the last. Files come first, each by itself."""
    if content.template is not None:
        return [content]
    content = _in_form(content, form)
    shown = tuple(row for row in content.buttons if row)
    most = CAPTION_CHARACTERS - len(_address_lines(shown)) if shown else TEXT_CHARACTERS
    carries = _carries(content)
    pieces = [replace(content, text="", buttons=(), media=(item,)) for item in content.media]
    if pieces and carries and len(content.text) <= min(most, CAPTION_CHARACTERS):
        # The text is the first file's caption; with buttons there is one file, under which they stand.
        pieces[0] = replace(pieces[0], text=content.text)
        pieces[-1] = replace(pieces[-1], buttons=content.buttons)
        return pieces
    texts = _texts(content.text, most) if content.text or content.buttons or not pieces else []
    pieces += [replace(content, text=text, buttons=(), media=(), caption_only=False) for text in texts]
    if content.buttons:
        pieces[-1] = replace(pieces[-1], buttons=content.buttons)
    return pieces


def _carries(content: Content) -> bool:
    """Whether the first file can carry the text (and the buttons, of which a caption has none)."""
    if not content.media:
        return False
    if content.buttons:
        return len(content.media) == 1 and bool(content.text.strip()) and _kind(content.media[0]) in _WITH_HEADER
    return not content.text or _kind(content.media[0]) in files.CAPTIONED


def _kind(item: Media) -> str:
    return files.prepare(replace(item, size=None)).kind


def _texts(text: str, most: int) -> list[str]:
    if len(text) <= most:
        return [text]
    # Counted in characters, but cut by UTF-16 units: a part is never too long, and never inside a grapheme.
    return [richtext.visible(part) for part in richtext.split(richtext.plain(text), most)] or [text[:most]]


def _in_form(content: Content, form: Form) -> Content:
    if form.as_documents and content.media:
        content = replace(content, media=tuple(replace(item, kind="document") for item in content.media))
    if not (form.without_buttons or form.addresses_in_text) or not content.buttons:
        return content
    kept: tuple[tuple[Button, ...], ...] = ()
    if not form.without_buttons:
        rows = (tuple(button for button in row if button.url is None) for row in content.buttons)
        kept = tuple(row for row in rows if row)
    added = [f"{button.text}: {button.url}" for row in content.buttons for button in row if button.url]
    return replace(content, text="\n".join(filter(None, (content.text, *added))), buttons=kept)


def _address_lines(rows: Sequence[Sequence[Button]]) -> str:
    """The addresses that stand under the text: WhatsApp has one button with an address, and it stands alone."""
    buttons = [button for row in rows for button in row]
    if len(buttons) == 1:
        return ""
    return "".join(f"\n{button.text}: {button.url}" for button in buttons if button.url)


def body_of(content: Content) -> str:
    """The text that stands above the buttons of a part, addresses included; never empty."""
    text = content.text + _address_lines(content.buttons)
    return text.strip() or " / ".join(button.text for row in content.buttons for button in row)[:CAPTION_CHARACTERS]
