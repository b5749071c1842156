"""What was refused, in the reader's language and the form's words: by field, or in one line for everything else.

A code's words stand in `console_faults.json`, for one form or one field where they differ there: of
`console_faults.<form>.<field>.<code>`, `<form>.<code>`, `<field>.<code>` and `<code>` the first that exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backend.core import i18n
from backend.core.errors import AppError
from backend.http.console.kit import pages

_PREFIX: Final = "console_faults."


def first_part(path: str) -> str:
    """The field of a path such as `chat_ids.0`."""
    return path.split(".")[0]


@dataclass(frozen=True, slots=True)
class Form:
    """How one form names its fields."""

    name: str = ""
    """The form's own words for a code, where it has any, are under this name."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The code of the label that stands beside a field, by the field or by the path to it."""
    field_of: Callable[[str], str] = first_part
    """The form's field for the path that the service or the schema names."""
    by_code: Mapping[str, str] = field(default_factory=dict)
    """The field for a refusal that names none."""


PLAIN: Final = Form()
"""A form whose fields are named as the schema names them, without labels."""


def by_field(error: AppError, form: Form = PLAIN) -> dict[str, str]:
    """The messages by the form's field; under the empty name what belongs to none. Of several faults of one field, the
    first."""
    listed = [fault for fault in error.detail if isinstance(fault, Mapping)] if isinstance(error.detail, list) else []
    faults: dict[str, str] = {}
    for fault in listed:
        path = str(fault.get("field", ""))
        name = form.field_of(path)
        faults.setdefault(name, _words(form, (path, name), str(fault.get("code", "")), fault))
    if faults:
        return faults
    named = detail_of(error, "field")
    name = form.by_code.get(error.code, form.field_of(named) if isinstance(named, str) else "")
    return {name: _words(form, (name,), error.code, {"message": error.message})}


def detail_of(error: AppError, name: str) -> Any:
    """What a refusal as a whole says under this name; None where it says nothing."""
    return error.detail.get(name) if isinstance(error.detail, Mapping) else None


def message_of(error: AppError) -> str:
    """One sentence of what was refused."""
    return _words(PLAIN, (), error.code, {"message": error.message})


def _words(form: Form, names: tuple[str, ...], code: str, fault: Mapping[str, Any]) -> str:
    """The catalog's words for the code, with the place in a text where the fault names one; a code without words has
    the service's own. `names` are the field's, the nearest first."""
    shapes = [_without_numbers(name) for name in names]
    label = next((pages.t(form.labels[shape]) for shape in shapes if shape in form.labels), None)
    known = i18n.catalog(pages.locale())
    of_the_form = [f"{form.name}.{shape}.{code}" for shape in shapes] + [f"{form.name}.{code}"]
    for key in (*of_the_form, *(f"{shape}.{code}" for shape in shapes), code):
        if f"{_PREFIX}{key}" in known:
            words = pages.t(f"{_PREFIX}{key}", field=label or pages.t(f"{_PREFIX}this_field"))
            break
    else:
        message = str(fault.get("message", ""))
        words = pages.t(f"{_PREFIX}other", field=label, message=message) if label else message
    if "line" in fault:
        return pages.t(f"{_PREFIX}place", message=words, line=fault["line"], column=fault["column"])
    return words


def _without_numbers(name: str) -> str:
    """The name of a field of a row, whichever row it is: `matchers.value` for `matchers.3.value`."""
    return ".".join(part for part in name.split(".") if not part.isdigit())
