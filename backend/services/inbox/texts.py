"""What a message says, as plain text: for the thread, the search and the snippets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from backend.channels import richtext
from backend.models import Message

_OF_CONTENT = ("name", "address", "title", "headline", "organization", "text")


def text_of(message: Message) -> str:
    """The message's words; of several parts one after the other. Empty where it says nothing by words."""
    return "\n".join(filter(None, map(part_text, parts_of(message.body))))


def parts_of(body: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The parts of a message's body."""
    parts = (body or {}).get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def part_text(part: Mapping[str, Any]) -> str:
    """The plain text of a part."""
    text = str(part.get("text") or "")
    return _plain(text) if part.get("format") == "html" else text


def searched_text(message: Message) -> str:
    """The words by which a message is found: its text, names of files, and the names in what else it holds."""
    matches = [text_of(message)]
    for part in parts_of(message.body):
        for media in (*part.get("received", ()), *part.get("media", ())):
            if isinstance(media, dict) and media.get("filename"):
                matches.append(str(media["filename"]))
    matches += _words_in(message.content)
    return "\n".join(filter(None, matches))


def has_file(message: Message) -> bool:
    """Whether the message brings a file."""
    return any(part.get("received") or part.get("media") for part in parts_of(message.body))


def _words_in(content: Any, depth: int = 0) -> list[str]:
    """Names, addresses and numbers in what a message holds besides text, however it is nested."""
    if depth > 4:
        return []
    if isinstance(content, list):
        return [word for item in content[:50] for word in _words_in(item, depth + 1)]
    if not isinstance(content, dict):
        return []
    matches = [str(content[name]) for name in _OF_CONTENT if isinstance(content.get(name), str)]
    for name in ("phones", "emails"):
        if isinstance(content.get(name), list):
            matches += [str(item) for item in content[name][:20]]
    for item in content.values():
        if isinstance(item, dict | list):
            matches += _words_in(item, depth + 1)
    return matches


@lru_cache(maxsize=500)
def _plain(text: str) -> str:
    return richtext.without_markup(richtext.read(text))
