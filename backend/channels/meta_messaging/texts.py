"""How a message becomes requests: a text in pieces that fit, each picture or file alone, buttons on the last piece.

Nothing here shortens a text, and no piece ends inside what a reader sees as one character.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from backend.channels import richtext
from backend.channels.base import Button, Content
from backend.channels.capabilities import Length
from backend.channels.forms import AS_MEANT, Form
from backend.core.graphemes import clusters

QUICK_REPLIES: Final = 13
TITLE_CHARACTERS: Final = 20
TEMPLATE_BUTTONS: Final = 3
TEMPLATE_CHARACTERS: Final = 640
"""Of the text above the buttons that stay."""
DATA_CHARACTERS: Final = 1000
MAX_HALVINGS: Final = 4
_LEAST: Final = 64


def split(content: Content, most: Length, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
    """The contents that are one request each. `first` is the first part's place in its message."""
    text = content.text
    if content.format == "html":
        text = richtext.without_markup(richtext.read(text))
    length = replace(most, most=max(most.most >> form.narrower, _LEAST))
    bare = replace(content, text="", format="plain", buttons=(), media=())
    media = [item for item in content.media if item.kind not in form.without_media]
    if form.media_kept is not None:
        media = media[: max(form.media_kept - first, 0)]
    parts = [replace(bare, media=(item,)) for item in media]
    buttons = () if form.without_buttons else content.buttons
    pieces = pieces_of(text, length)
    lines = lines_of(buttons, text if len(pieces) < 2 else pieces[-1])
    if lines and pieces and not length.fits("\n\n".join((pieces[-1], lines))):
        # Room for the addresses behind the last piece.
        pieces[-1:] = pieces_of(pieces[-1], replace(length, most=max(length.most - length.of(lines) - 2, _LEAST)))
    parts += [replace(bare, text=piece) for piece in pieces]
    if buttons and (not parts or not parts[-1].text) and parts:
        parts.append(bare)
    parts = parts or [bare]
    parts[-1] = replace(parts[-1], buttons=buttons)
    return parts


def pieces_of(text: str, length: Length) -> list[str]:
    """The text in pieces of at most this length: cut at an empty line, else after a line, else after a word, else
    between characters. Blank text has none."""
    pieces: list[str] = []
    rest = text.strip("\n") if length.fits(text) else text.strip()
    while rest.strip():
        end = len(rest) if length.fits(rest) else _cut(rest, _fitting(rest, length))
        pieces.append(rest[:end].rstrip() if end < len(rest) else rest)
        rest = rest[end:].lstrip()
    return pieces


def _cut(text: str, furthest: int) -> int:
    for mark in ("\n\n", "\n", " "):
        # Where a piece would be less than a third of what fits, a finer cut is better.
        place = text.rfind(mark, furthest // 3, furthest + len(mark))
        if place > 0 and text[:place].strip():
            return place
    return furthest


def _fitting(text: str, length: Length) -> int:
    """The end of the last whole character up to which the text fits; at least one code point."""
    used = end = 0
    for cluster in clusters(text[: length.most + 1]):
        used += length.of(cluster)
        if used > length.most:
            break
        end += len(cluster)
    if end:
        return end
    # One character alone is longer than a piece: nobody's letter or emoji is.
    while end < len(text) and length.of(text[: end + 1]) <= length.most:
        end += 1
    return max(end, 1)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text's buttons are shown: under the text (`template`), as choices that vanish (`choices`), and as lines in
    the text (`lines`), of which the first and the others exclude each other."""

    template: tuple[Button, ...] = ()
    choices: tuple[Button, ...] = ()
    lines: str = ""


def layout_of(rows: Sequence[Sequence[Button]], text: str) -> Layout:
    """Buttons that open addresses stay under the text where they fit there; else the addresses stand in it."""
    buttons = [button for row in rows for button in row]
    addresses = [button for button in buttons if button.url is not None]
    if not addresses:
        return Layout(choices=tuple(buttons[:QUICK_REPLIES]))
    if len(buttons) <= TEMPLATE_BUTTONS and len(text.strip()) > 0 and len(text) <= TEMPLATE_CHARACTERS:
        return Layout(template=tuple(buttons))
    choices = tuple(button for button in buttons if button.url is None)
    lines = "\n".join(f"{button.text}: {button.url}" for button in addresses)
    return Layout(choices=choices[:QUICK_REPLIES], lines=lines)


def lines_of(rows: Sequence[Sequence[Button]], text: str) -> str:
    """What a text's buttons add to it."""
    return layout_of(rows, text).lines


def title_of(button: Button) -> str:
    """A button's words, of which twenty characters are shown."""
    if len(button.text) <= TITLE_CHARACTERS:
        return button.text
    return button.text[: _fitting(button.text, Length(TITLE_CHARACTERS - 1))].rstrip() + "…"
