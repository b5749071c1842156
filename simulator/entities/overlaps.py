"""Which entities may lie over which others: what Telegram drops, joins and divides."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

JSON = dict[str, Any]

STYLES = ("bold", "italic", "underline", "strikethrough", "spoiler")
QUOTES = ("blockquote", "expandable_blockquote")
WITHOUT_STYLES = ("code", "pre", "date_time")
_PRIORITY = {"blockquote": 0, "expandable_blockquote": 0, "pre": 11, "code": 20, "date_time": 48}
_PRIORITY |= {"text_link": 49, "text_mention": 49, "custom_emoji": 99}
_PRIORITY |= {style: 90 + number for number, style in enumerate(STYLES)}
OTHERS = 50


def order(entity: JSON) -> tuple[int, int, int]:
    """The order in which Telegram gives entities: by place, the longer first, then by kind."""
    return entity["offset"], -entity["length"], _PRIORITY.get(entity["type"], OTHERS)


def normalized(entities: list[JSON]) -> list[JSON]:
    """The entities as they are kept: no quotation in another, no two links or codes over each other, styles
    joined, and divided where code begins or where two would cross.
    """
    if len(entities) < 2:
        return entities
    quotes = _apart([entity for entity in entities if entity["type"] in QUOTES])
    solid = _apart([entity for entity in entities if entity["type"] not in QUOTES + STYLES])
    styles = _styles(entities, [_span(entity) for entity in solid if entity["type"] in WITHOUT_STYLES])
    return sorted(quotes + solid + _uncrossed(styles, quotes + solid), key=order)


def _span(entity: JSON) -> tuple[int, int]:
    return entity["offset"], entity["offset"] + entity["length"]


def _apart(entities: list[JSON]) -> list[JSON]:
    """Those that do not lie over an earlier one; of two at one place the one of the stronger kind."""
    kept: list[JSON] = []
    end = 0
    for entity in sorted(entities, key=order):
        if entity["offset"] >= end:
            kept.append(entity)
            end = entity["offset"] + entity["length"]
    return kept


def _styles(entities: list[JSON], holes: list[tuple[int, int]]) -> list[JSON]:
    styles = []
    for style in STYLES:
        for start, stop in _joined([_span(entity) for entity in entities if entity["type"] == style]):
            for begin, end in holes:
                if begin < stop and start < end:
                    if start < begin:
                        styles.append({"offset": start, "length": begin - start, "type": style})
                    start = end
            if start < stop:
                styles.append({"offset": start, "length": stop - start, "type": style})
    return styles


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def _uncrossed(styles: list[JSON], borders: list[JSON]) -> list[JSON]:
    """Styles divided where they would reach over one end of another entity only."""
    uncrossed: list[JSON] = []
    spans = [_span(entity) for entity in borders]
    for style in sorted(styles, key=order):
        start, stop = _span(style)
        cuts = {end for begin, end in spans if begin < start < end < stop}
        cuts |= {begin for begin, end in spans if start < begin < stop < end}
        points = [start, *sorted(cuts), stop]
        for begin, end in pairwise(points):
            uncrossed.append({**style, "offset": begin, "length": end - begin})
            spans.append((begin, end))
    return uncrossed
