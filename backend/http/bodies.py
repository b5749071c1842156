"""Reading what a client sent, so that nothing behind this module meets a value PostgreSQL could not store.

JSON is refused when it is not JSON or nested too deeply (400), or holds NUL characters, half surrogate pairs, numbers
that are not finite or integers beyond 64 bits (422). Query and form values get the same look.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from backend.core.errors import BadRequest, Invalid, UnsupportedMedia, field_error

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)
MAX_DISCARDED = 8 * 1024 * 1024
"""Bytes of a refused body that are still read; a larger one ends with its connection."""


class BoundedRequest(Request):
    """A request whose body is refused when it is over the bound, also when it came in chunks without a length.

    Werkzeug 3.1 cuts such a body off at the bound and says nothing as long as it is read in one piece.
    """

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:
        """The body. Raises 413 for one that reaches the bound without having declared its length."""
        raw = super().get_data(cache=cache, as_text=False, parse_form_data=parse_form_data)
        bound = self.max_content_length
        if self.content_length is None and bound is not None and len(raw) >= bound:
            raise RequestEntityTooLarge
        return raw.decode("utf-8", "replace") if as_text else raw


def discard_rest(request: Request) -> None:
    """Reads what is left of a refused body of moderate size, and forgets it.

    A server that closes a connection with unread data resets it, and the client never sees why it was refused.
    """
    declared = request.content_length or 0
    if not 0 < declared <= MAX_DISCARDED:
        return
    left = declared
    source = request.environ["wsgi.input"]
    while left > 0:
        piece = source.read(min(left, 65536))
        if not piece:
            return
        left -= len(piece)


def read_json(request: Request) -> Any:
    """The request's JSON body; `{}` where there is neither a body nor a content type.

    Raises BadRequest, UnsupportedMedia, Invalid, and werkzeug's 413 for a body over the bound.
    """
    raw = request.get_data(cache=True)
    if not request.is_json:
        if not raw and not request.content_type:
            return {}
        raise UnsupportedMedia(message="The body has to be JSON, with the content type application/json.")
    value = parse(raw)
    check_value(value)
    return value


def parse(raw: bytes) -> Any:
    """Parses strict JSON: UTF-8, perhaps after a byte order mark; no NaN. Raises BadRequest."""
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError:
        raise BadRequest("invalid_json", "The JSON is nested too deeply.") from None
    except ValueError:  # also UnicodeDecodeError, and integers of thousands of digits
        raise BadRequest("invalid_json", "The body is not valid JSON.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def check_value(value: Any) -> None:
    """Walks a parsed value. Raises BadRequest for its depth, Invalid for what cannot be stored."""
    pending: list[tuple[Any, str, int]] = [(value, "", 0)]
    while pending:
        item, place, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise BadRequest("invalid_json", "The JSON is nested too deeply.")
        if isinstance(item, str):
            check_text(item, place)
        elif isinstance(item, dict):
            for key, inner in item.items():
                check_text(key, place)
                pending.append((inner, f"{place}.{key}" if place else key, depth + 1))
        elif isinstance(item, list):
            pending.extend((inner, f"{place}.{index}", depth + 1) for index, inner in enumerate(item))
        elif isinstance(item, bool):
            continue
        elif isinstance(item, int) and not MIN_INTEGER <= item <= MAX_INTEGER:
            raise invalid(place, "integer_too_large", "The number does not fit into 64 bits.")
        elif isinstance(item, float) and not math.isfinite(item):
            raise invalid(place, "number_not_finite", "The number is too large.")


def check_text(text: str, place: str) -> None:
    """Raises Invalid for text that PostgreSQL cannot hold: NUL, or half of a surrogate pair."""
    if "\0" in text:
        raise invalid(place, "text_with_nul", "The text holds a NUL character.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise invalid(place, "text_malformed", "The text is not valid Unicode.") from None


def check_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """`check_text` for the names and values of a query or form."""
    for name, value in pairs:
        check_text(name, "")
        check_text(value, name)


def invalid(field: str, code: str, message: str) -> Invalid:
    """The 422 for one field, in the shape that all of them have."""
    shown = field.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
    return Invalid.of_fields([field_error(shown, code, message)])
