"""parse_mode Markdown, the old one: * _ ` ``` and [text](address), nothing nested."""

from __future__ import annotations

import re
from typing import Any

from simulator.entities.links import link_entity
from simulator.entities.units import EntityError, Output, byte_offset

_LANGUAGE = re.compile(r"([^ \t\r\n\0\v`]+)(?=[ \t\r\n\0\v])")


def parse_markdown(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Plain text and entities. Raises EntityError where an entity has no end."""
    output = Output()
    entities: list[dict[str, Any]] = []
    position, end = 0, len(source)
    while position < end:
        character = source[position]
        if character == "\\" and source[position + 1 : position + 2] in set("_*`["):
            output.add(source[position + 1])
            position += 2
        elif character in "_*`[":
            position = _entity(source, position, output, entities)
        else:
            output.add(character)
            position += 1
    return output.text(), entities


def _entity(source: str, begin: int, output: Output, entities: list[dict[str, Any]]) -> int:
    character = source[begin]
    fenced = source.startswith("```", begin)
    mark = "```" if fenced else ("]" if character == "[" else character)
    start = begin + (3 if fenced else 1)
    entity: dict[str, Any] = {"offset": output.units, "length": 0, "type": "pre"}
    if fenced:
        language = _LANGUAGE.match(source, start)
        if language:
            entity["language"] = language.group(1)
            start = language.end()
        if source.startswith("\n", start):
            start += 1
    stop = source.find(mark, start)
    if stop < 0:
        where = byte_offset(source, begin)
        raise EntityError(f"Can't find end of the entity starting at byte offset {where}")
    output.add(source[start:stop])
    entity["length"] = output.units - entity["offset"]
    position = stop + len(mark)
    if character == "[":
        address = source[start:stop]
        if source.startswith("(", position):
            closing = source.find(")", position)
            closing = len(source) if closing < 0 else closing
            address = source[position + 1 : closing]
            position = closing + 1
        link = link_entity(address, entity["offset"], entity["length"])
        if link is None:
            return position
        entity = link
    elif not fenced:
        entity["type"] = {"*": "bold", "_": "italic", "`": "code"}[character]
    if entity["length"]:
        entities.append(entity)
    return position
