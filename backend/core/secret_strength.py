"""Whether a secret of the instance is strong enough to sign with: a pure function of its text."""

from __future__ import annotations

import itertools
import re
from typing import Final

MIN_CHARACTERS: Final = 32
_MIN_DISTINCT: Final = 8
_MAX_PERIOD: Final = 16
_EXAMPLES: Final = (
    "changeme", "changethis", "example", "insecure", "placeholder", "replaceme", "replacethis",
    "yourjwt", "yourkey", "yoursecret", "putyour", "enteryour", "notarealsecret", "supersecretjwttoken",
    "secretkeysecretkey", "loremipsum", "quickbrownfox", "qwertyuiop", "asdfghjkl", "passwordpassword", "password1234",
)  # fmt: skip
"""What stands in documents and templates, without the signs between the words, and what fingers type by themselves."""
_COPIED: Final = ("secrets.token_urlsafe", "openssl rand", "python3 -c", "$(", "…", "...")
"""A command, or an ellipsis, that was copied in place of what it stands for."""


def weakness(secret: str) -> str | None:
    """Why this secret must not be used, in words that never show any of it; None for a good one."""
    if len(secret.strip()) < MIN_CHARACTERS:
        return f"needs at least {MIN_CHARACTERS} characters"
    if _is_repeated(secret) or len(set(secret)) < _MIN_DISTINCT or _is_a_row(secret):
        return "repeats itself: it has to be random"
    folded = secret.casefold()
    plain = re.sub(r"[^a-z0-9]", "", folded)
    if any(word in plain for word in _EXAMPLES) or any(piece in folded for piece in _COPIED):
        return "is an example: it has to be random"
    return None


def _is_repeated(text: str) -> bool:
    """Whether a short piece, written again and again, makes up the whole text."""
    return any(text[period:] == text[:-period] for period in range(1, min(_MAX_PERIOD, len(text) // 2) + 1))


def _is_a_row(text: str) -> bool:
    """Whether most characters are the neighbours of those before them: `abcdef…`, `98765…`."""
    steps = [ord(after) - ord(before) for before, after in itertools.pairwise(text)]
    return max(steps.count(1), steps.count(-1)) > len(steps) * 0.7
