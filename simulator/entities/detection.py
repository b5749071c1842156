"""Entities that Telegram finds by itself in any text: commands, mentions, hashtags, addresses."""

from __future__ import annotations

import re
from typing import Any

from simulator.entities.units import utf16_length

_COMMAND = re.compile(r"(?<![\w/<>@])/([A-Za-z0-9_]{1,64})(?:@([A-Za-z0-9_]{3,32}))?(?![\w/@])")
_MENTION = re.compile(r"(?<![\w@./])@[A-Za-z][A-Za-z0-9_]{3,31}(?!\w)")
_HASHTAG = re.compile(r"(?<![\w#&/])#(?=\w*[^\W\d])\w{1,255}")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,16}")
_TLD = "com|org|net|io|dev|app|me|co|kr|de|test|example|info|eu|uk|jp|ru|fr|us|gov|edu|shop|blog|site|xyz|ai"
_URL = re.compile(
    r"(?:https?://[\w.-]+\.[\w-]+(?::\d+)?(?:[/?#][^\s<>\"]*)?"
    rf"|(?<![\w@./-])(?:[\w-]+\.)+(?:{_TLD})(?![\w-])(?::\d+)?(?:[/?#][^\s<>\"]*)?)"
)
_PATTERNS = (("url", _URL, "."), ("email", _EMAIL, "@"), ("bot_command", _COMMAND, "/"))
_MORE = (("mention", _MENTION, "@"), ("hashtag", _HASHTAG, "#"))


def detect(text: str, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The given entities and those found in the text where no code, link or earlier finding lies."""
    entities = given
    taken: list[tuple[int, int]] | None = None
    for kind, pattern, trigger in _PATTERNS + _MORE:
        if trigger not in text:
            continue
        for match in pattern.finditer(text):
            value = match.group()
            if kind == "url":
                value = value.rstrip(".,;:!?)'\"")
            offset = utf16_length(text[: match.start()])
            stop = offset + utf16_length(value)
            if taken is None:
                entities = list(given)
                taken = [
                    (entity["offset"], entity["offset"] + entity["length"])
                    for entity in given
                    if entity["type"] in ("code", "pre", "text_link", "text_mention", "custom_emoji", "date_time")
                ]
            if any(begin < stop and offset < end for begin, end in taken):
                continue
            taken.append((offset, stop))
            entities.append({"offset": offset, "length": stop - offset, "type": kind})
    return entities
