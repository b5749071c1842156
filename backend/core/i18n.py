"""Texts for people, by code and locale.

Rows and services hold codes; what a person reads comes from the catalogs in `backend/locales/<locale>/<feature>.json`.
A catalog is one flat object, code to text; each code begins with its file's name (`notifications.test.title`). A text
holds placeholders `{name}`; where English needs a plural it is an object of CLDR forms (`{"one": …, "other": …}`),
chosen by the value `count`. All locales hold the same codes and placeholders; a test compares them.
"""

from __future__ import annotations

import html as _html
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.numbers import format_decimal

LOCALES: Final = ("en", "ko")
DEFAULT: Final = "en"

_FOLDER: Final = Path(__file__).resolve().parent.parent / "locales"
_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")

Entry = str | dict[str, str]


class CatalogError(Exception):
    """A catalog cannot be used: not an object of texts, or a code in the wrong file. Names the file and the code."""


def text(code: str, locale: str, /, **values: object) -> str:
    """The text of `code` with its placeholders filled, as plain text.

    Whole numbers get thousands separators (give an id as a string); everything else is `str(value)`. A locale that
    is not offered reads the default one. Raises KeyError for an unknown code or a placeholder without a value.
    """
    return _fill(code, locale, values, escape=False)


def html(code: str, locale: str, /, **values: object) -> str:
    """Like `text`, for the neutral HTML subset: values are escaped, the catalog's own markup stays."""
    return _fill(code, locale, values, escape=True)


def number(value: int | float, locale: str) -> str:
    """The number with the locale's separators: 1234567 is "1,234,567"."""
    return str(format_decimal(value, locale=negotiate(locale)))


def negotiate(tag: str | None) -> str:
    """The offered locale nearest to an IETF tag ("ko-KR" is "ko"), or the default one."""
    language = re.split(r"[-_]", tag or "", maxsplit=1)[0].lower()
    return language if language in LOCALES else DEFAULT


def placeholders(entry: Entry) -> frozenset[str]:
    """The names that a catalog's entry has placeholders for, in any of its forms."""
    forms = [entry] if isinstance(entry, str) else list(entry.values())
    return frozenset(name for form in forms for name in _PLACEHOLDER.findall(form))


@cache
def catalog(locale: str) -> Mapping[str, Entry]:
    """All texts of one locale, read once per process. Raises CatalogError."""
    entries: dict[str, Entry] = {}
    for path in sorted((_FOLDER / locale).glob("*.json")):
        entries.update(read(path))
    return entries


def read(path: Path) -> dict[str, Entry]:
    """The texts of one file. Raises CatalogError for anything but texts under codes of that file's feature."""
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_refuse_repeats)
    except ValueError as error:
        raise CatalogError(f"{path.name}: {error}") from error
    if not isinstance(loaded, dict):
        raise CatalogError(f"{path.name}: not an object")
    for code, entry in loaded.items():
        forms = list(entry.values()) if isinstance(entry, dict) else [entry]
        if not forms or not all(isinstance(form, str) for form in forms):
            raise CatalogError(f"{path.name}: {code} is not a text")
        if isinstance(entry, dict) and "other" not in entry:
            raise CatalogError(f"{path.name}: {code} has no form “other”")
        if not code.startswith(f"{path.stem}."):
            raise CatalogError(f"{path.name}: {code} does not begin with {path.stem}.")
    return loaded


def _refuse_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("a code stands twice")
    return entries


def _fill(code: str, locale: str, values: Mapping[str, object], *, escape: bool) -> str:
    language = negotiate(locale)
    entry = catalog(language)[code]
    form = entry if isinstance(entry, str) else _plural(entry, language, values["count"])

    def value_of(match: re.Match[str]) -> str:
        value = values[match.group(1)]
        whole = isinstance(value, int) and not isinstance(value, bool)
        shown = number(value, language) if whole else str(value)  # type: ignore[arg-type]
        return _html.escape(shown) if escape else shown

    return _PLACEHOLDER.sub(value_of, form)


def _plural(forms: dict[str, str], language: str, count: object) -> str:
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise TypeError("the value “count” chooses a plural form and is a number")
    return forms.get(Locale(language).plural_form(count), forms["other"])
