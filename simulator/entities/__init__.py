"""From what a bot sends (a text and perhaps a parse mode) to what Telegram stores: plain text and entities.

Offsets and lengths of entities are UTF-16 code units, as everywhere in the Bot API; the limits on a text's
length count characters (code points).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulator.entities.cleaning import clean, is_visible, trim
from simulator.entities.detection import detect
from simulator.entities.explicit import explicit_entities
from simulator.entities.html import parse_html
from simulator.entities.markdown import parse_markdown
from simulator.entities.markdown_v2 import parse_markdown_v2
from simulator.entities.overlaps import normalized, order
from simulator.entities.units import EntityError, utf16_length
from simulator.errors import bad_request
from simulator.sizes import check_entities

RAW_BYTES = 32_768
MAX_ENTITIES = 100

__all__ = ["EntityError", "detect", "format_text", "is_visible", "utf16_length"]

JSON = dict[str, Any]
FindUser = Callable[[int], "JSON | None"]
"""The Bot API User behind an id, for mentions; None for somebody the bot does not know."""


def format_text(
    text: str, parse_mode: str, explicit: Any, *, detected: bool = True, find_user: FindUser | None = None
) -> tuple[str, list[JSON]]:
    """The text as it will be shown, without surrounding white space, and its entities (at most 100, as
    Telegram keeps). A mention of somebody whom `find_user` does not know is plain text.

    Raises ApiError 400 "can't parse entities", "can't parse MessageEntity", "text is too long" (raw bytes),
    "ENTITIES_TOO_LONG" or "unsupported parse_mode".
    """
    if len(text) * 4 > RAW_BYTES and len(text.encode()) > RAW_BYTES:
        raise bad_request("text is too long")
    mode = parse_mode.lower()
    try:
        if not mode or mode == "none":
            entities = explicit_entities(text, explicit) if explicit is not None else []
        elif mode == "html":
            text, entities = parse_html(text)
        elif mode == "markdownv2":
            text, entities = parse_markdown_v2(text)
        elif mode == "markdown":
            text, entities = parse_markdown(text)
        else:
            raise bad_request("unsupported parse_mode")
    except EntityError as error:
        raise bad_request(f"can't parse entities: {error}") from None
    text, entities = clean(text, entities)
    if entities:
        entities = normalized(_named(entities, find_user))
    text, entities = trim(text, entities)
    if detected:
        entities = detect(text, entities)
    entities.sort(key=order)
    check_entities(entities[:MAX_ENTITIES])
    return text, entities[:MAX_ENTITIES]


def _named(entities: list[JSON], find_user: FindUser | None) -> list[JSON]:
    """Mentions with the whole User; without those of strangers."""
    named = []
    for entity in entities:
        if entity["type"] == "text_mention":
            user = find_user(entity["user"]["id"]) if find_user is not None else None
            if user is None:
                continue
            entity = {**entity, "user": user}
        named.append(entity)
    return named
