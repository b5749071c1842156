"""Reading JSON whose sender cannot mend it: what could not be stored is repaired and noted instead of refused.

Monitoring systems never send a refused body again, so a refusal would lose an alert. What is repaired is told by codes;
they say nothing of the content.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from flask import Request

from backend.core.errors import BadRequest
from backend.http.bodies import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER

MAX_BYTES: Final = 8 * 1024 * 1024
"""The largest body that is read like this, in bytes."""

_REPLACEMENT: Final = "\ufffd"
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_SHORT: Final = 18
"""Digits of an integer that fits into 64 bits in any case."""


def read(request: Request) -> tuple[Any, tuple[str, ...]]:
    """The value of a request's body, whatever its content type, and the codes of what was repaired, sorted.

    Raises BadRequest for what is no JSON even then, and werkzeug's 413 for a body over the view's bound.
    """
    return parse(request.get_data(cache=False))


def parse(raw: bytes) -> tuple[Any, tuple[str, ...]]:
    """See `read`.

    - `byte_order_mark`, `other_encoding`: before the text; read as what the first bytes say.
    - `invalid_utf8`, `nul_character`, `half_surrogate`: became U+FFFD.
    - `large_integer`, `number_not_finite`: became text with the same digits or word.
    - `nested_too_deeply`: what lies below is left out.
    """
    codes: set[str] = set()
    text = _decode(raw, codes)
    del raw
    try:
        value = _Decoder(codes).decode(text)
    except RecursionError:
        raise BadRequest("invalid_json", "The JSON is nested too deeply.") from None
    except ValueError:
        raise BadRequest("invalid_json", "The body is not valid JSON.") from None
    del text
    return _repaired(value, codes), tuple(sorted(codes))


class _Decoder(json.JSONDecoder):
    """Takes control characters in strings, and numbers of any size."""

    def __init__(self, codes: set[str]) -> None:
        self._codes = codes
        super().__init__(strict=False, parse_int=self._integer, parse_float=self._number, parse_constant=self._constant)

    def _integer(self, digits: str) -> int | str:
        if len(digits) <= _SHORT:
            return int(digits)
        if len(digits) < 25 and MIN_INTEGER <= (value := int(digits)) <= MAX_INTEGER:
            return value
        self._codes.add("large_integer")
        return digits

    def _number(self, digits: str) -> float | str:
        value = float(digits)
        return value if math.isfinite(value) else self._constant(digits)

    def _constant(self, word: str) -> str:
        self._codes.add("number_not_finite")
        return word


def _decode(raw: bytes, codes: set[str]) -> str:
    encoding = json.detect_encoding(raw[:4])
    if encoding == "utf-8-sig":
        codes.add("byte_order_mark")
    elif encoding != "utf-8":
        codes.add("other_encoding")
    try:
        # A half surrogate that was written as such is one thing with one that was escaped.
        return raw.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        codes.add("invalid_utf8")
        return raw.decode(encoding, "replace")


def _repaired(value: Any, codes: set[str]) -> Any:
    """The value with what could not be stored replaced, in its own lists and objects."""
    around = [value]
    pending: list[tuple[Any, int]] = [(around, 0)]
    while pending:
        holder, depth = pending.pop()
        if isinstance(holder, dict):
            for name in [name for name in holder if _UNSTORABLE.search(name)]:
                holder[_text(name, codes)] = holder.pop(name)
        for place, item in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if isinstance(item, str):
                if _UNSTORABLE.search(item):
                    holder[place] = _text(item, codes)
            elif isinstance(item, dict | list):
                if depth >= MAX_DEPTH:
                    codes.add("nested_too_deeply")
                    holder[place] = None
                else:
                    pending.append((item, depth + 1))
    return around[0]


def _text(text: str, codes: set[str]) -> str:
    if "\0" in text:
        codes.add("nul_character")
        text = text.replace("\0", _REPLACEMENT)
    if _UNSTORABLE.search(text):
        codes.add("half_surrogate")
        # Two halves beside each other are a character, as some Java programs write it.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
