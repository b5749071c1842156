"""From what a bot sends (a text and perhaps a parse mode) to what Telegram stores: plain text and entities.

Offsets and lengths of entities are UTF-16 code units, as everywhere in the Bot API.
"""

from __future__ import annotations

from typing import Any

from simulator.entities.detection import detect
from simulator.entities.html import parse_html
from simulator.entities.markdown import parse_markdown
from simulator.entities.markdown_v2 import parse_markdown_v2
from simulator.entities.units import EntityError, utf16_length
from simulator.errors import bad_request
from simulator.sizes import check_entities

RAW_BYTES = 32_768
MOST_ENTITIES = 100

ENTITY_TYPES = frozenset(
    [
        "mention",
        "hashtag",
        "cashtag",
        "bot_command",
        "url",
        "email",
        "phone_number",
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
        "date_time",
    ]
)

__all__ = ["EntityError", "detect", "format_text", "utf16_length"]

JSON = dict[str, Any]


def format_text(
    text: str, parse_mode: str, explicit: list[Any] | None, *, detected: bool = True
) -> tuple[str, list[JSON]]:
    """The text as it will be shown, without surrounding white space, and its entities (at most 100, as
    Telegram keeps).

    Raises ApiError 400 "can't parse entities", "text is too long" (raw bytes), "ENTITIES_TOO_LONG" or
    "unsupported parse_mode".
    """
    if len(text) * 4 > RAW_BYTES and len(text.encode()) > RAW_BYTES:
        raise bad_request("text is too long")
    mode = parse_mode.lower()
    try:
        if not mode or mode == "none":
            entities = _explicit(text, explicit or [])
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
    text, entities = _trim(text, entities)
    if detected:
        entities = detect(text, entities)
    entities.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    check_entities(entities[:MOST_ENTITIES])
    return text, entities[:MOST_ENTITIES]


def _trim(text: str, entities: list[JSON]) -> tuple[str, list[JSON]]:
    stripped = text.rstrip()
    left = stripped.lstrip()
    if left == text:
        return text, entities
    shift = utf16_length(stripped) - utf16_length(left)
    end = utf16_length(left)
    kept = []
    for entity in entities:
        start = max(entity["offset"] - shift, 0)
        stop = min(entity["offset"] + entity["length"] - shift, end)
        if stop > start:
            kept.append({**entity, "offset": start, "length": stop - start})
    return left, kept


def _explicit(text: str, given: Any) -> list[JSON]:
    entities: list[JSON] = []
    size = utf16_length(text)
    if not isinstance(given, list):
        raise EntityError("expected an Array of MessageEntity")
    for entity in given:
        if not isinstance(entity, dict):
            raise EntityError("expected an Object")
        offset, length, kind = entity.get("offset"), entity.get("length"), entity.get("type")
        if not isinstance(offset, int) or not isinstance(length, int):
            raise EntityError('field "offset" and field "length" must be of type Number')
        if not isinstance(kind, str) or kind not in ENTITY_TYPES:
            raise EntityError("unsupported entity type")
        if kind == "text_link" and not isinstance(entity.get("url"), str):
            raise EntityError('can\'t find field "url"')
        if offset < 0 or offset > size:
            raise EntityError("Receive an entity with incorrect offset " + str(offset))
        if length < 0 or offset + length > size:
            raise EntityError("Receive an entity with incorrect length " + str(length))
        if length:
            entities.append(dict(entity))
    return entities
