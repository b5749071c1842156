"""Reading a form into the API's own schema, so that a page and a call are held to the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from backend.core.errors import Invalid
from backend.http import bodies
from backend.http.adapter import field_errors

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
        raise Invalid(detail=field_errors(error)) from None
