"""parse_mode HTML, after the parser in TDLib: same tags, same refusals, same offsets in bytes."""

from __future__ import annotations

import re
from typing import Any

from simulator.entities.links import date_format, link_entity, unix_time
from simulator.entities.units import EntityError, Output, byte_offset

TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}

_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,8})|#([0-9]{1,10})|([a-z]+));?")
_PLAIN = re.compile(r"[^&<]+")
_NAME = re.compile(r"[^\s>]*")
_ATTRIBUTE_NAME = re.compile(r"[^\s=>/\"']*")
_TOKEN = re.compile(r"[A-Za-z0-9.\-]*")
_SPACE = re.compile(r"\s*")


class _Open:
    __slots__ = ("argument", "form", "name", "offset", "piece")

    def __init__(self, name: str, argument: str, form: str, offset: int, piece: int) -> None:
        self.name = name
        self.argument = argument
        self.form = form
        self.offset = offset
        self.piece = piece


def parse_html(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Plain text and entities. Raises EntityError for what Telegram refuses; unknown &references; stay as
    written.
    """
    if "<" not in source and "&" not in source:
        return source, []
    output = Output()
    entities: list[dict[str, Any]] = []
    opened: list[_Open] = []
    position, end = 0, len(source)
    while position < end:
        if plain := _PLAIN.match(source, position):
            output.add(plain.group())
            position = plain.end()
        elif source[position] == "&":
            character, position = _reference(source, position)
            output.add(character)
        elif source.startswith("</", position):
            position = _close(source, position, opened, output, entities)
        else:
            position = _open(source, position, opened, output)
    if opened:
        raise EntityError(f'Can\'t find end tag corresponding to start tag "{opened[-1].name}"')
    for entity in entities:
        if entity["type"] == "code":
            # A language is kept of a block only, and it was not known before whether a <pre> follows.
            entity.pop("language", None)
    return output.text(), entities


def _reference(source: str, position: int) -> tuple[str, int]:
    match = _REFERENCE.match(source, position)
    if match is None:
        return "&", position + 1
    hexadecimal, decimal, name = match.groups()
    if name:
        return (NAMED[name], match.end()) if name in NAMED else ("&", position + 1)
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return "&", position + 1
    return chr(code), match.end()


def _unescape(value: str) -> str:
    pieces, position = [], 0
    while position < len(value):
        if value[position] == "&":
            character, position = _reference(value, position)
            pieces.append(character)
        else:
            pieces.append(value[position])
            position += 1
    return "".join(pieces)


def _span(pattern: re.Pattern[str], source: str, position: int) -> int:
    match = pattern.match(source, position)
    return match.end() if match else position


def _open(source: str, begin: int, opened: list[_Open], output: Output) -> int:
    where = byte_offset(source, begin)
    unclosed = EntityError(f"Unclosed start tag at byte offset {where}")
    position = _span(_NAME, source, begin + 1)
    if position >= len(source):
        raise unclosed
    name = source[begin + 1 : position].lower()
    if name not in TAGS:
        raise EntityError(f'Unsupported start tag "{name}" at byte offset {where}')
    argument = form = ""
    while True:
        position = _span(_SPACE, source, position)
        if position >= len(source):
            raise unclosed
        if source[position] == ">":
            break
        start = position
        position = _span(_ATTRIBUTE_NAME, source, position)
        attribute = source[start:position].lower()
        if not attribute:
            raise EntityError(f'Empty attribute name in the tag "{name}" at byte offset {where}')
        position = _span(_SPACE, source, position)
        value = ""
        if source.startswith("=", position):
            value, position = _value(source, _span(_SPACE, source, position + 1), unclosed)
        if position >= len(source):
            raise unclosed
        argument = _argument(name, attribute, value, argument)
        form = value if (name, attribute) == ("tg-time", "format") else form
    if name == "span" and argument != "spoiler":
        raise EntityError(f'Tag "span" must have class "tg-spoiler" at byte offset {where}')
    opened.append(_Open(name, argument, form, output.units, len(output.pieces)))
    return position + 1


def _value(source: str, position: int, unclosed: EntityError) -> tuple[str, int]:
    if position >= len(source):
        raise unclosed
    quote = source[position]
    if quote in "'\"":
        stop = source.find(quote, position + 1)
        if stop < 0:
            raise unclosed
        return _unescape(source[position + 1 : stop]), stop + 1
    stop = _span(_TOKEN, source, position)
    if stop >= len(source):
        raise unclosed
    if not source[stop].isspace() and source[stop] != ">":
        raise EntityError(f"Unexpected end of name token at byte offset {byte_offset(source, position)}")
    return source[position:stop].lower(), stop


def _argument(name: str, attribute: str, value: str, before: str) -> str:
    if (name, attribute) in (("a", "href"), ("tg-emoji", "emoji-id"), ("tg-time", "unix")):
        return value
    if name == "code" and attribute == "class" and value.startswith("language-"):
        return value[9:]
    if name == "span" and attribute == "class" and value.startswith("tg-"):
        return value[3:]
    if name == "blockquote" and attribute == "expandable":
        return "expandable"
    return before


def _close(source: str, begin: int, opened: list[_Open], output: Output, entities: list[dict[str, Any]]) -> int:
    where = byte_offset(source, begin)
    if not opened:
        raise EntityError(f"Unexpected end tag at byte offset {where}")
    stop = _span(_NAME, source, begin + 2)
    name = source[begin + 2 : stop].lower()
    position = _span(_SPACE, source, stop)
    if not source.startswith(">", position):
        raise EntityError(f"Unclosed end tag at byte offset {where}")
    tag = opened.pop()
    if name and name != tag.name:
        raise EntityError(f'Unmatched end tag at byte offset {where}, expected "</{tag.name}>", found "</{name}>"')
    length = output.units - tag.offset
    if length:
        _emit(tag, length, output, entities)
    return position + 1


def _emit(tag: _Open, length: int, output: Output, entities: list[dict[str, Any]]) -> None:
    entity: dict[str, Any] = {"offset": tag.offset, "length": length, "type": TAGS[tag.name]}
    if tag.name == "a":
        link = link_entity(tag.argument or "".join(output.pieces[tag.piece :]), tag.offset, length)
        if link is None:
            return
        entity = link
    elif tag.name == "tg-emoji":
        if not tag.argument.isdecimal() or int(tag.argument) == 0:
            raise EntityError("Invalid custom emoji identifier specified")
        entity["custom_emoji_id"] = tag.argument
    elif tag.name == "tg-time":
        moment = unix_time(tag.argument)
        if not moment:
            raise EntityError("Invalid Unix time specified")
        entity |= {"unix_time": moment, "date_time_format": date_format(tag.form)}
    elif tag.name == "blockquote" and tag.argument:
        entity["type"] = "expandable_blockquote"
    elif tag.name == "code" and tag.argument:
        entity["language"] = tag.argument
    if tag.name in ("pre", "code"):
        _join_code(entity, entities)
    entities.append(entity)


def _join_code(entity: dict[str, Any], entities: list[dict[str, Any]]) -> None:
    """`<pre><code>` and `<code><pre>` around the same text are one block, with the language of the code."""
    inner = entities[-1] if entities else {}
    same = inner.get("offset") == entity["offset"] and inner.get("length") == entity["length"]
    if same and {inner["type"], entity["type"]} == {"pre", "code"}:
        entities.pop()
        entity["type"] = "pre"
        if "language" in inner:
            entity["language"] = inner["language"]
