"""The five severities, and the words of other systems that mean one of them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

SEVERITIES: Final = ("critical", "error", "warning", "info", "debug")
"""From the gravest on."""
DEFAULT: Final = "warning"
_SYNONYMS: Final = {
    "page": "critical", "fatal": "critical", "emergency": "critical",
    "err": "error", "high": "error",
    "warn": "warning", "minor": "warning",
    "notice": "info", "ok": "info", "none": "info",
}  # fmt: skip
_RANKS: Final = {word: len(SEVERITIES) - place for place, word in enumerate(SEVERITIES)}


def parse(word: str) -> str | None:
    """Returns the severity that a word means, in any case; None for a word that means none."""
    known = word.strip().lower()
    return known if known in _RANKS else _SYNONYMS.get(known)


def worst(words: Iterable[str]) -> str:
    """Returns the gravest of some severities; the default for none."""
    return max(words, key=lambda word: _RANKS.get(word, _RANKS[DEFAULT]), default=DEFAULT)
