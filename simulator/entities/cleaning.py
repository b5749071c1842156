"""What Telegram does to every text before it keeps it: control characters, direction marks, space at both ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Any

from simulator.entities.units import utf16_length

_UNCLEAN = re.compile("[\x00-\x09\x0b-\x1f\u2028-\u202e\u030a\u0333\u033f]")
_DROPPED = re.compile("[\r\u2028-\u202e\u030a\u0333\u033f]")
_CONTROL = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f]")
_MARKS = re.compile("[\u200e\u200f]+(?=[\u200e\u200f])")
_INVISIBLE = re.compile(
    "[\x00-\x20\xa0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u206f\u2800\u3000\ufeff\ufffc"
    "\U000e0000-\U000e007f]*"
)
_SPACE = " \n"

JSON = dict[str, Any]


def is_visible(text: str) -> bool:
    """False when nothing in the text can be seen: such a text counts as empty."""
    return _INVISIBLE.fullmatch(text) is None


def clean(text: str, entities: list[JSON]) -> tuple[str, list[JSON]]:
    """Control characters become spaces; \\r, separators, overrides and three combining marks go; of a run of
    direction marks only the last stays one. Entities move along.
    """
    if _UNCLEAN.search(text):
        entities = _shifted(text, entities)
        text = _CONTROL.sub(" ", _DROPPED.sub("", text))
    if "\u200e" in text or "\u200f" in text:
        text = _MARKS.sub(lambda match: "\u200c" * len(match.group()), text)
    return text, entities


def _shifted(text: str, entities: list[JSON]) -> list[JSON]:
    if not entities:
        return entities
    dropped = [utf16_length(text[: match.start()]) for match in _DROPPED.finditer(text)]

    def moved(offset: int) -> int:
        return offset - bisect_left(dropped, offset)

    kept = []
    for entity in entities:
        start, stop = moved(entity["offset"]), moved(entity["offset"] + entity["length"])
        if stop > start:
            kept.append({**entity, "offset": start, "length": stop - start})
    return kept


def trim(text: str, entities: list[JSON]) -> tuple[str, list[JSON]]:
    """Without the space at the end, nor that at the beginning as far as the first entity. Entities of
    nothing but space go.
    """
    stripped = text.rstrip(_SPACE)
    if entities:
        end = utf16_length(stripped)
        entities = [_ending_at(end, entity) for entity in entities if entity["offset"] < end]
        entities = [entity for entity in entities if _has_content(stripped, entity)]
    space = len(stripped) - len(stripped.lstrip(_SPACE))
    space = min([space, *(entity["offset"] for entity in entities)])
    if space:
        stripped = stripped[space:]
        entities = [{**entity, "offset": entity["offset"] - space} for entity in entities]
    return stripped, entities


def _ending_at(end: int, entity: JSON) -> JSON:
    return {**entity, "length": min(entity["length"], end - entity["offset"])}


def _has_content(text: str, entity: JSON) -> bool:
    units = text.encode("utf-16-le", "surrogatepass")
    part = units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])]
    return part.decode("utf-16-le", "surrogatepass").strip(_SPACE) != ""
