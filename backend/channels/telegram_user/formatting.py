"""Texts of accounts: parts that fit one message, and their markup as Telegram's entities."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backend.channels import richtext
from backend.channels.base import Content
from backend.channels.telegram_user import limits


@dataclass(frozen=True, slots=True)
class Entity:
    """A marked piece of a text: `kind` is b, i, u, s, code, pre or a; `offset` and `length` are UTF-16 units."""

    kind: str
    offset: int
    length: int
    href: str | None = None


def split(content: Content) -> list[Content]:
    """The parts that are one message each, at least one; buttons, files and templates are no account's and left out."""
    plain = replace(content, buttons=(), media=(), template=None, caption_only=False)
    parts = richtext.split(_runs(plain), limits.TEXT_UNITS)
    if len(parts) <= 1:
        return [plain]
    return [replace(plain, text=richtext.write(part), format="html") for part in parts]


def entities_of(content: Content) -> tuple[str, list[Entity]]:
    """The visible text and its marked pieces. Styles that go on over several runs are one entity."""
    runs = _runs(content)
    entities: list[Entity] = []
    open_since: dict[richtext.Style, int] = {}
    position = 0
    for run in [*runs, richtext.Run("")]:
        for style in [style for style in open_since if style not in run.styles]:
            start = open_since.pop(style)
            entities.append(Entity(style.name, start, position - start, style.href))
        for style in run.styles:
            open_since.setdefault(style, position)
        position += richtext.utf16_length(run.text)
    text = richtext.visible(runs)
    return text, sorted(entities, key=lambda entity: (entity.offset, -entity.length))


def _runs(content: Content) -> list[richtext.Run]:
    return richtext.read(content.text) if content.format == "html" else richtext.plain(content.text)
