"""A whole name as first and last name, where its form tells them apart. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_HANGUL: Final = re.compile(r"[\uac00-\ud7a3]+")
_LONGEST_KOREAN: Final = 5
_TWO_SYLLABLES: Final = frozenset(("남궁", "황보", "제갈", "사공", "선우", "서문", "독고", "동방", "망절", "어금"))
_PARTICLES: Final = frozenset((
    "von", "van", "vom", "zu", "zur", "den", "der", "de", "del", "della", "di", "da", "dos", "das", "du", "la", "le",
    "bin", "ibn", "al", "ter", "ten",
))  # fmt: skip


def split(name: str) -> tuple[str, str]:
    """First and last name; the last one is empty where nothing tells where it begins.

    With a comma the last name stands first, as in names of Korea, Japan and China. Elsewhere it is the last word, with
    the particles before it.
    """
    words = name.split()
    last, comma, first = name.partition(",")
    if comma and first.strip() and last.strip() and "," not in first:
        return " ".join(first.split()), " ".join(last.split())
    if len(words) <= 1:
        return _korean(words[0]) if words and _is_korean(words[0]) else ("".join(words), "")
    if all(_is_of_east_asia(word) for word in words):
        return " ".join(words[1:]), words[0]
    begin = len(words) - 1
    while begin > 1 and words[begin - 1].casefold() in _PARTICLES:
        begin -= 1
    return " ".join(words[:begin]), " ".join(words[begin:])


def _is_korean(word: str) -> bool:
    return _HANGUL.fullmatch(word) is not None and 2 <= len(word) <= _LONGEST_KOREAN


def _korean(word: str) -> tuple[str, str]:
    """A Korean name without a space: the family name has one syllable, or is one of the few with two."""
    syllables = 2 if len(word) > 2 and word[:2] in _TWO_SYLLABLES else 1
    return word[syllables:], word[:syllables]


def _is_of_east_asia(word: str) -> bool:
    return all(unicodedata.name(char, "").startswith(("CJK", "HANGUL", "HIRAGANA", "KATAKANA")) for char in word)
