"""The words of a text as the search keeps them, and a search as the query that finds them. Pure functions.

Letters of alphabets are words, found by their beginnings. Hangul, kana and ideographs are kept as pairs of neighbours,
so that a part of a word is found too. Numbers with at least seven digits are kept from each of their digits on, however
they are grouped, so that a phone number is found by its end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import phonenumbers

MIN_LENGTH: Final = 2
MAX_LENGTH: Final = 100
"""Characters of what is searched for."""
MAX_TEXT: Final = 10_000
"""Characters of a text that are read."""
FILE: Final = "!file"
LINK: Final = "!link"
"""Words that stand for what a message has beside its words."""
_MAX_WORD: Final = 60
_MAX_TERMS: Final = 12
_MAX_POSITION: Final = 16_000
_MIN_DIGITS: Final = 7
_MAX_DIGITS: Final = 15
_SHORTEST_END: Final = 4
_PAIRED: Final = (
    r"\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
)
_RUN: Final = re.compile(rf"([{_PAIRED}]+)|((?:(?![{_PAIRED}])[^\W_])+)")
_NUMBER: Final = re.compile(r"\+?\d(?:[\s().\-/]{0,3}\d)*")
_ADDRESS: Final = re.compile(r"https?://\S", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"([^"]*)"|(\S+)')
_LOOKS_LIKE_NUMBER: Final = re.compile(r"[+\d][\d\s().\-/]*")


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was read: `tsquery` is PostgreSQL's, `marks` are the words to show it by."""

    tsquery: str
    marks: tuple[str, ...]


def normal(text: str) -> str:
    """The text as words are compared: one form of each character, no difference of case."""
    return unicodedata.normalize("NFKC", text).casefold()


def tsvector(text: str, *, has_file: bool = False) -> str:
    """The words of a text as PostgreSQL's `tsvector`; empty for a text without any."""
    shown = normal(text[:MAX_TEXT])
    places: dict[str, list[str]] = {}
    for place, word in enumerate(_words(shown), 1):
        if place > _MAX_POSITION:
            break
        known = places.setdefault(word, [])
        if len(known) < 255:
            known.append(str(place))
    parts = [f"'{word}':{','.join(known)}" for word, known in places.items()]
    parts += [f"'{ending}'" for ending in dict.fromkeys(_endings(shown))]
    if _ADDRESS.search(shown):
        parts.append(f"'{LINK}'")
    if has_file:
        parts.append(f"'{FILE}'")
    return " ".join(parts)


def read(query: str, *, has: Iterable[str] = ()) -> Search | None:
    """What is searched for; None where nothing of it is a word. `has` adds `file` or `link`.

    Words have to be there all, in any order, each by its beginning; those in quotes one after the other. What looks
    like a phone number is found by its digits.
    """
    wanted = normal(query.replace("\0", " ").strip())[:MAX_LENGTH]
    terms, marks = [], []
    if _LOOKS_LIKE_NUMBER.fullmatch(wanted) and sum(map(str.isdigit, wanted)) >= _SHORTEST_END:
        terms.append(_any(_number_terms(wanted)))
        marks.append(wanted)
    else:
        for quoted, plain in list(_QUOTED.findall(wanted))[:_MAX_TERMS]:
            term = _phrase(quoted) if quoted else _plain(plain)
            if term:
                terms.append(term)
                marks.append((quoted or plain).strip('"'))
    if not terms:
        return None
    known = {"file": FILE, "link": LINK}
    terms += [f"'{known[name]}'" for name in has if name in known]
    return Search(" & ".join(terms), tuple(marks))


def snippet(text: str, marks: Iterable[str], length: int = 120) -> str:
    """The part of a text around the first place where one of these words stands, in one line."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    folded = line.casefold()
    matches = [place for mark in marks if (place := folded.find(mark)) >= 0]
    begin = max(0, min(matches, default=0) - length // 3)
    begin = min(begin, len(line) - length)
    piece = line[begin : begin + length].strip()
    return ("…" if begin else "") + piece + ("…" if begin + length < len(line) else "")


def _words(shown: str) -> Iterable[str]:
    for paired, word in _RUN.findall(shown):
        if paired:
            yield from _pairs(paired)
        else:
            yield word[:_MAX_WORD]


def _pairs(run: str) -> Iterable[str]:
    """The neighbours of a run, and its last character by itself: found by its first one, each is."""
    for place in range(len(run) - 1):
        yield run[place : place + 2]
    yield run[-1]


def _endings(shown: str) -> Iterable[str]:
    for match in _NUMBER.finditer(shown):
        digits = "".join(filter(_is_digit, match[0]))
        if _MIN_DIGITS <= len(digits) <= _MAX_DIGITS:
            for place in range(len(digits) - _SHORTEST_END + 1):
                yield f"#{digits[place:]}"


def _number_terms(wanted: str) -> list[str]:
    digits = "".join(filter(_is_digit, wanted))
    alternatives = dict.fromkeys([digits, digits.removeprefix("00"), digits.lstrip("0")])
    if wanted.startswith("+"):
        try:
            number = phonenumbers.parse(f"+{digits}")
            alternatives[phonenumbers.national_significant_number(number)] = None
        except phonenumbers.NumberParseException:
            pass
    terms = [f"'#{end}':*" for end in alternatives if len(end) >= _SHORTEST_END]
    # A short number, of an order perhaps, is a word like others.
    return [*terms, _all(f"'{word}':*" for word in _words(wanted))]


def _plain(term: str) -> str:
    """Several runs of one word ("iphone15프로", "o'clock") stand one after the other."""
    return _phrase(term)


def _phrase(term: str) -> str:
    """The words one after the other; the last by its beginning."""
    runs = _RUN.findall(term)
    steps: list[str] = []
    for index, (paired, word) in enumerate(runs):
        last = index == len(runs) - 1
        if not paired:
            steps.append(f"'{word[:_MAX_WORD]}'" + (":*" if last else ""))
        elif len(paired) == 1:
            steps.append(f"'{paired}'" + (":*" if last else ""))
        else:
            steps += [f"'{pair}'" for pair in list(_pairs(paired))[: -1 if last else None]]
    return f"({' <-> '.join(steps)})" if len(steps) > 1 else "".join(steps)


def _any(terms: Iterable[str]) -> str:
    return f"({' | '.join(terms)})"


def _all(terms: Iterable[str]) -> str:
    return f"({' & '.join(terms)})"


def _is_digit(character: str) -> bool:
    return character.isascii() and character.isdigit()
