"""What a message template says and asks for: its variables, and its text with values in their places. Pure functions.

A variable stands as `{{1}}` or `{{name}}`. By their keys they are given as `1` or `name` in the text, `header.1` in the
header, `button.0` in the address of the first button; `header` is the address of a header's picture, video or document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.channels.base import Content, Template
from backend.channels.richtext import storable
from backend.core.errors import FieldError, Invalid, field_error

MAX_VALUE: Final = 1024
"""Characters of one value (WhatsApp Business Platform, "Template messages")."""
_VARIABLE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]{1,60})\s*\}\}")
_MEDIA: Final = {"image": "image", "video": "video", "document": "document"}
_ADDRESS: Final = re.compile(r"https://[\x21-\x7e]{1,2000}")
_MAX_BUTTONS: Final = 10

Variables = Mapping[str, str] | Sequence[str]
"""Values by their keys, or in the order of `Shape.keys`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a template is made of. `keys` are its variables, in the order in which they are given as a list; `media` is
    the kind of a header that is none of words."""

    header: str
    body: str
    footer: str
    buttons: tuple[str, ...]
    media: str | None
    keys: tuple[str, ...]
    named: bool
    """Whether the variables of its text have names of their own."""
    urls: Mapping[int, str]
    """The addresses of the buttons that hold a variable, by their place."""
    codes: frozenset[int]
    """The places of buttons that hand out a code."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A template with values in their places, as a person reads it. `missing` are the keys without a value, which stand
    as they are in the texts."""

    header: str
    body: str
    footer: str
    buttons: tuple[str, ...]
    media: str | None
    missing: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of its words, for a history."""
        return "\n\n".join(part for part in (self.header, self.body, self.footer) if part)


def shape_of(components: Sequence[Mapping[str, Any]]) -> Shape:
    """Reads a provider's description of a template; what it does not know is passed over."""
    by_kind: dict[str, Mapping[str, Any]] = {}
    for component in components:
        by_kind.setdefault(_word(component.get("type")), component)
    header = by_kind.get("header", {})
    media = _MEDIA.get(_word(header.get("format")))
    header_text = "" if media else _text(header.get("text"))
    body = _text(by_kind.get("body", {}).get("text"))
    labels, urls, codes = _buttons(by_kind.get("buttons", {}))
    keys = ["header"] if media else [f"header.{name}" for name in _names(header_text)]
    keys += _names(body)
    keys += [f"button.{place}" for place in sorted({*urls, *codes})]
    return Shape(
        header=header_text,
        body=body,
        footer=_text(by_kind.get("footer", {}).get("text")),
        buttons=tuple(labels),
        media=media,
        keys=tuple(keys),
        named=any(not name.isdigit() for name in (*_names(body), *_names(header_text))),
        urls=urls,
        codes=frozenset(codes),
    )


def preview(shape: Shape, variables: Variables) -> Preview:
    """The template with these values; what has none stays as it is written."""
    values = _by_key(shape, variables)
    return Preview(
        header=_filled(shape.header, values, "header."),
        body=_filled(shape.body, values, ""),
        footer=shape.footer,
        buttons=shape.buttons,
        media=shape.media,
        missing=tuple(key for key in shape.keys if not values.get(key)),
    )


def content_of(name: str, language: str, shape: Shape, variables: Variables) -> Content:
    """What is handed to the outbox: the template with its values, and its words as the text. Raises Invalid naming each
    variable that is missing, unknown or not to be sent."""
    values = _by_key(shape, variables)
    faults = list(_faults(shape, values, variables))
    if faults:
        raise Invalid.of_fields(faults)
    shown = preview(shape, values)
    body, header = _names(shape.body), [] if shape.media else _names(shape.header)
    components: list[dict[str, Any]] = []
    if shape.media:
        components.append(
            {"type": "header", "parameters": [{"type": shape.media, shape.media: {"link": values["header"]}}]}
        )
    if shape.named:
        components += _named("header", header, values, "header.") + _named("body", body, values, "")
        header = body = []
    components += [
        {
            "type": "button",
            "sub_type": "copy_code" if place in shape.codes else "url",
            "index": str(place),
            "parameters": [_button_value(shape, place, values[f"button.{place}"])],
        }
        for place in sorted({*shape.urls, *shape.codes})
    ]
    template = Template(
        name,
        language,
        body=tuple(values[key] for key in body),
        header=tuple(values[f"header.{key}"] for key in header),
        components=tuple(components),
    )
    return Content(text=shown.text, template=template)


def _faults(shape: Shape, values: Mapping[str, str], given: Variables) -> Iterator[FieldError]:
    if not isinstance(given, Mapping) and len(given) > len(shape.keys):
        yield field_error("template.variables", "too_many_variables", f"The template has {len(shape.keys)} variables.")
    for key in values.keys() - set(shape.keys):
        yield field_error(f"template.variables.{key}", "unknown_variable", "The template has no such variable.")
    for key in shape.keys:
        value = values.get(key, "")
        place = f"template.variables.{key}"
        if not value.strip():
            yield field_error(place, "missing_variable", "The template needs a value for this variable.")
        elif len(value) > MAX_VALUE:
            yield field_error(place, "variable_too_long", f"A value has at most {MAX_VALUE} characters.")
        elif key == "header" and not _ADDRESS.fullmatch(value):
            yield field_error(place, "bad_media_address", "The header needs a file at an https address.")
        elif key != "header" and ("\n" in value or "\t" in value or "     " in value):
            # Refused by the provider (error 132018), so it is said before.
            yield field_error(place, "variable_has_breaks", "A value holds no line break, no tab and no run of spaces.")


def _by_key(shape: Shape, variables: Variables) -> dict[str, str]:
    if isinstance(variables, Mapping):
        return {str(key): storable(value) for key, value in variables.items()}
    return {key: storable(value) for key, value in zip(shape.keys, variables, strict=False)}


def _named(kind: str, names: Sequence[str], values: Mapping[str, str], prefix: str) -> list[dict[str, Any]]:
    if not names:
        return []
    parameters = [{"type": "text", "parameter_name": name, "text": values[prefix + name]} for name in names]
    return [{"type": kind, "parameters": parameters}]


def _button_value(shape: Shape, place: int, value: str) -> dict[str, str]:
    return {"type": "coupon_code", "coupon_code": value} if place in shape.codes else {"type": "text", "text": value}


def _buttons(component: Mapping[str, Any]) -> tuple[list[str], dict[int, str], list[int]]:
    labels: list[str] = []
    urls: dict[int, str] = {}
    codes: list[int] = []
    listed = component.get("buttons")
    for place, button in enumerate(listed[:_MAX_BUTTONS] if isinstance(listed, list) else []):
        given = button if isinstance(button, dict) else {}
        labels.append(_text(given.get("text")))
        url = _text(given.get("url"))
        if _word(given.get("type")) == "copy_code":
            codes.append(place)
        elif _VARIABLE.search(url):
            urls[place] = url
    return labels, urls, codes


def _names(text: str) -> list[str]:
    """The variables of a text, each once: numbered ones in their order, named ones as they stand."""
    names = list(dict.fromkeys(_VARIABLE.findall(text)))
    return sorted(names, key=int) if names and all(name.isdigit() for name in names) else names


def _filled(text: str, values: Mapping[str, str], prefix: str) -> str:
    return _VARIABLE.sub(lambda match: values.get(prefix + match[1]) or match[0], text)


def _text(value: Any) -> str:
    return storable(value)[:4096] if isinstance(value, str) else ""


def _word(value: Any) -> str:
    return value.lower() if isinstance(value, str) else ""
