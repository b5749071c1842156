"""Names of columns in eight languages and what they hold, from `column_names.toml`; compared after `fold`."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any, Final

_MARKS: Final = re.compile(r"[\s_\-./:()#*\"'\[\]]+")
_NUMBER: Final = re.compile(r"\b\d+\b")


def fold(name: str) -> str:
    """The name in lower case, without punctuation and numbers: `E-mail 1 - Value` is `e mail value`."""
    lowered = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(_NUMBER.sub(" ", _MARKS.sub(" ", lowered)).split())


_DATA: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("column_names.toml").read_text(encoding="utf-8"))


def _words(name: str) -> frozenset[str]:
    return frozenset(fold(word) for word in _DATA["words"][name])


EXACT: Final[dict[str, tuple[str, ...]]] = {
    field: tuple(fold(name) for name in names) for field, names in _DATA["names"].items()
}
"""By field, the better names first."""
PHONE: Final = _words("phone")
MOBILE: Final = _words("mobile")
EMAIL: Final = _words("email")
TELEGRAM: Final = _words("telegram")
WEBSITE: Final = _words("website")
NEVER: Final = _words("never")
"""Words of names that hold neither a phone nor an address of the person, whatever else they say."""
_ORDERS: Final = (
    MOBILE,
    frozenset({"first", "primary", "main", "phone", "whatsapp"}),
    frozenset({"work", "business", "direct", "office", "geschäftlich", "직장", "회사"}),
    frozenset({"home", "private", "privat", "집", "자택"}),
)


def phone_order(name: str) -> int:
    """Which phone of several is the primary one: mobiles first, then primary ones, work, home, others."""
    words = set(fold(name).split())
    if "other" in words:
        return len(_ORDERS)
    # "Phone" alone says least, so that a more precise word counts before it.
    precise = words - {"phone"}
    for order, kinds in enumerate(_ORDERS):
        if precise & kinds:
            return order
    return 1 if words & _ORDERS[1] else len(_ORDERS)
