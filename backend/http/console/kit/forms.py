"""Reading a form into the API's own schema, so that a page and a call are held to the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from backend.http import bodies
from backend.http.adapter import refusal
from backend.http.console.kit.own_address import HOME, own_address

Model = TypeVar("Model", bound=BaseModel)


def values(*names: str) -> dict[str, str]:
    """The form's fields of these names that are not empty. Raises Invalid for text that cannot be stored."""
    bodies.check_pairs(request.form.items(multi=True))
    return {name: value for name in names if (value := request.form.get(name, "").strip())}


def checked(schema: type[Model], given: Mapping[str, Any]) -> Model:
    """The values as the schema has them. Raises Invalid with what is wrong, field by field."""
    try:
        return schema.model_validate(dict(given))
    except ValidationError as error:
        raise refusal(error, schema) from None


def query_values(*names: str) -> dict[str, str]:
    """The address's parameters of these names that are not empty. Raises Invalid for text that cannot be stored."""
    bodies.check_pairs(request.args.items(multi=True))
    return {name: value for name in names if (value := request.args.get(name, "").strip())}


def rows(source: MultiDict[str, str], *names: str) -> list[dict[str, str]]:
    """Fields that stand in the form several times, line by line; lines without anything in them are left out."""
    bodies.check_pairs(source.items(multi=True))
    lines = zip_longest(*(source.getlist(name) for name in names), fillvalue="")
    return [dict(zip(names, line, strict=True)) for line in lines if line[0].strip() or line[-1].strip()]


def return_url(otherwise: str = HOME) -> str:
    """Where the form was, for after the act; `otherwise` where it names none of our pages."""
    return own_address(request.form.get("back"), otherwise)
