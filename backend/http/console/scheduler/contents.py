"""What a scheduled message says, as its form has it: one text field, and what an alert or a file needs besides.

The text is the words of a message, those of an alert, or the caption of a file. What the form has no field for (an
alert's labels, buttons and the like, planned by the API) stays as it was.
"""

from __future__ import annotations

from typing import Any, Final

from flask import request

from backend.core.errors import AppError, Invalid, field_error
from backend.http.console.kit import forms
from backend.models import ScheduledMessage
from backend.services.scheduled_messages import contents

KINDS: Final = contents.KINDS
SEVERITIES: Final = ("critical", "error", "warning", "info", "debug")
FIELDS: Final = ("content", "message", "title", "severity", "url", "file_id")
_OF_FILES: Final = {"caption": "message", "file_id": "file_id", "kind": "file_id"}


def given(before: ScheduledMessage | None) -> dict[str, Any]:
    """The form's content as the API takes it; `before` is the row that is changed."""
    typed = forms.values(*FIELDS)
    kind = typed.get("content", "message")
    words = typed.get("message", "")
    if kind == "alert":
        known = contents.of(before) if before is not None else None
        kept = dict(known.value) if known is not None and known.kind == "alert" else {}
        return {
            "alert": kept
            | {"title": typed.get("title", ""), "message": words, "severity": typed.get("severity", "warning")}
        }
    if kind in ("photo", "document"):
        number = typed.get("file_id")
        return {
            kind: {
                "url": typed.get("url"),
                "file_id": int(number) if number and number.isascii() and number.isdigit() else number,
                "caption": words or None,
            }
        }
    # Any other word is a text, which is refused where there is none.
    return {"message": words}


def typed(message: ScheduledMessage) -> dict[str, str]:
    """What the form shows of a row."""
    planned = contents.of(message)
    if planned.kind == "message":
        return {"content": "message", "message": planned.value}
    names = ("title", "message", "severity") if planned.kind == "alert" else ("url", "file_id")
    shown = {name: str(planned.value[name]) for name in names if planned.value.get(name) is not None}
    if planned.kind != "alert":
        shown["message"] = planned.caption
    return {"content": planned.kind} | shown


def typed_values() -> dict[str, str]:
    """What was typed so far, for the fields of another kind."""
    return {name: value for name, value in request.args.items() if name in FIELDS}


def at_its_field(error: AppError) -> AppError:
    """The error with the form's own names of the fields."""
    if error.code == "file_not_found":
        return _renamed(error, [field_error("file_id", error.code, error.message)])
    if not isinstance(error.detail, list):
        return error
    return _renamed(error, [fault | {"field": _name_of(str(fault.get("field", "")))} for fault in error.detail])


def _name_of(path: str) -> str:
    kind, _, rest = path.partition(".")
    inner = rest.partition(".")[0]
    if kind == "alert":
        return inner if inner in FIELDS else "message"
    if kind in ("photo", "document"):
        return _OF_FILES.get(inner, "url")
    return path


def _renamed(error: AppError, detail: list[dict[str, Any]]) -> AppError:
    kind = type(error) if isinstance(error, Invalid) else Invalid
    return kind(error.code, error.message, detail=detail)
