"""Which passwords are refused because a guesser tries them first: common ones, rows of keys, one's own name.

Pure functions of the password and of the words that everybody knows about the account. A password that holds more
than these is taken, whatever it is made of: rules about kinds of characters make people choose `Passw0rd!`.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from backend.core.errors import Invalid

_MIN_CORE: Final = 4
_MAX_ADDED: Final = 6
"""Digits and signs around a common word that make it no harder to guess: `password2024!!`."""
_MIN_UNIT: Final = 8
_MAX_CHECKED: Final = 64
"""A longer password is in no list; only whether it repeats a short piece is asked of it."""
_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890", "qazwsxedcrfvtgbyhnujm", "1qaz2wsx3edc4rfv5tgb")
_LETTERS_FOR: Final = str.maketrans("0134578@$!|", "oieastbasil")
_OURS: Final = ("switchboard",)


def refuse_weak(password: str, known: Iterable[str] = ()) -> None:
    """Raises Invalid (`password_common`, `password_personal`) for a password that guessers try first.

    `known` is what others know of the account: its address, the person's and the workspace's name.
    """
    text = unicodedata.normalize("NFKC", password).casefold().strip()
    if is_common(text):
        raise Invalid("password_common", "This password is among the first that are guessed; choose another.")
    if _is_personal(text, known):
        raise Invalid("password_personal", "A password is not made of the name or the address of its account.")


def is_common(text: str) -> bool:
    """Whether a folded password is in the list, a row of keys, one piece repeated, or such a word with a few signs."""
    unit = _repeated_unit(text)
    if unit is not None:
        return len(unit) < _MIN_UNIT or is_common(unit)
    return len(text) <= _MAX_CHECKED and any(_is_known(form) for form in _forms(text))


def _is_known(word: str) -> bool:
    return word in _common_passwords() or _is_a_row(word)


def _forms(text: str) -> Iterator[str]:
    """The password as it is, in plain letters, without the digits and signs around it, and both."""
    for form in (text, text.translate(_LETTERS_FOR)):
        yield form
        core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", form)
        if len(core) >= _MIN_CORE and len(form) - len(core) <= _MAX_ADDED:
            yield core
            yield core.translate(_LETTERS_FOR)


def _repeated_unit(text: str) -> str | None:
    """The piece that, written again and again, makes up the whole text; the last time perhaps not to its end."""
    for length in range(1, min(len(text) // 2, _MAX_CHECKED) + 1):
        if text[length:] == text[:-length]:
            return text[:length]
    return None


def _is_a_row(text: str) -> bool:
    if len(text) < _MIN_CORE:
        return False
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(text)}
    return steps in ({1}, {-1}) or any(text in row or text[::-1] in row for row in _ROWS)


def _is_personal(text: str, known: Iterable[str]) -> bool:
    """Whether fewer than four letters are left when the account's words are taken out."""
    left = text
    for word in sorted(_words_of(known), key=len, reverse=True):
        left = left.replace(word, " ")
    return left != text and len(re.sub(r"[\W\d_]", "", left)) < _MIN_CORE


def _words_of(known: Iterable[str]) -> set[str]:
    words: set[str] = set(_OURS)
    for value in known:
        folded = unicodedata.normalize("NFKC", value).casefold()
        pieces = [piece for piece in re.split(r"[\W_]+", folded) if piece]
        words |= {folded, "".join(pieces), "".join(reversed(pieces)), *pieces}
    return {word for word in words if len(word) > 2}


@cache
def _common_passwords() -> frozenset[str]:
    """The 30,000 commonest passwords. Read at first use, 8 MB: a process that sets no password pays nothing."""
    package = importlib.util.find_spec("zxcvbn")
    assert package is not None, "it is pinned in requirements.txt"
    assert package.origin is not None
    # The file alone: importing the package ranks all of its dictionaries, three times the memory.
    spec = importlib.util.spec_from_file_location(
        "_frequency_lists", Path(package.origin).with_name("frequency_lists.py")
    )
    assert spec is not None
    assert spec.loader is not None
    lists = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lists)
    return frozenset(lists.FREQUENCY_LISTS["passwords"])
