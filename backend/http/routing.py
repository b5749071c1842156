"""Addresses: with or without a trailing slash, and no path parameter that the database could not hold."""

from __future__ import annotations

from typing import Any

from apiflask import APIFlask
from werkzeug.routing import IntegerConverter, UnicodeConverter, ValidationError

_MAX_ID = 2**63 - 1


class IdConverter(IntegerConverter):
    """`<int:...>`: a non-negative integer of 64 bits; anything else is not one of our addresses (404)."""

    regex = r"[0-9]{1,19}"

    def to_python(self, value: str) -> Any:
        """The number. Raises ValidationError, which makes the route not match."""
        number = super().to_python(value)
        if number > _MAX_ID:
            raise ValidationError
        return number


class TextConverter(UnicodeConverter):
    """`<name>`: text without a slash and without NUL."""

    def to_python(self, value: str) -> Any:
        """The text. Raises ValidationError, which makes the route not match."""
        if "\0" in value:
            raise ValidationError
        return super().to_python(value)


def install(app: APIFlask) -> None:
    """Sets the rules for all routes registered afterwards."""
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters.update({"int": IdConverter, "string": TextConverter, "default": TextConverter})
