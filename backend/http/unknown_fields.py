"""Fields that a body has and its schema has not: refused by name, with the known name that looks most like it.

A misspelled field that is passed over is a setting that its sender believes to have made.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Any, Final, get_args

from flask import Request
from pydantic import BaseModel

from backend.core.errors import AppError, Invalid
from backend.http import bodies

CODE: Final = "unknown_field"
_MAX_NAME: Final = 100
"""Characters of a name that are repeated in an answer."""
_MAX_NAMED: Final = 50
"""Unknown fields that one answer names."""


def fault(path: str, name: str, known: Collection[str]) -> dict[str, Any]:
    """What is said of one unknown field; `path` is where it stands, itself included."""
    nearest = nearest_name(name, known)
    shown = _shown(name)
    message = f"There is no field {shown} here."
    if nearest is not None:
        message += f" Did you mean {nearest}?"
    elif known:
        message += f" There are: {', '.join(sorted(known))}."
    return {"field": _shown(path), "code": CODE, "message": message, "nearest": nearest}


def refusal(faults: list[dict[str, Any]]) -> Invalid:
    """The 422 for these faults, one of them an unknown field."""
    first = next(fault for fault in faults if fault["code"] == CODE)
    return Invalid(CODE, first["message"], detail=faults)


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """The known name that looks most like this one; None where none does."""
    plain = {known_name.replace("_", "").lower(): known_name for known_name in known}
    matches = difflib.get_close_matches(name[:_MAX_NAME].replace("_", "").replace("-", "").lower(), plain, 1, 0.5)
    return plain[matches[0]] if matches else None


def known_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The names that the model knows at a place of its value, as Pydantic writes places."""
    models = [model]
    for part in place:
        inner = [below for candidate in models for below in _below(candidate, part)]
        # A number stands for an item of a list, and any other part that names no field for a key or an option.
        models = inner or models
    return sorted({field.alias or name for candidate in models for name, field in candidate.model_fields.items()})


def refuse_unread(request: Request, known: Collection[str]) -> None:
    """Refuses a JSON object that is sent to a call which takes no body; `known` are its query parameters.

    Passing over it would do something else than what was asked, for instance for the caller and not for `user_id`.
    """
    if not request.is_json:
        return
    try:
        value = bodies.parse(request.get_data(cache=True))
    except AppError:
        return
    if not isinstance(value, dict) or not value:
        return
    faults = [fault(name, name, known) for name in list(value)[:_MAX_NAMED]]
    for unread in faults:
        unread["message"] = f"This call takes no body: there is no field {unread['field']}."
        if unread["nearest"] is not None:
            unread["message"] += f" {unread['nearest']} goes into the address, as a query parameter."
    raise refusal(faults)


def _below(model: type[BaseModel], part: int | str) -> Iterator[type[BaseModel]]:
    field = model.model_fields.get(part) if isinstance(part, str) else None
    if field is not None:
        yield from _models_in(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _shown(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")[:_MAX_NAME]
