"""Templates that a workspace writes: text with placeholders, and nothing that could be a program.

A placeholder is `{name}`, `{name|what stands there when it is missing}` or a path into the data,
`{order.items.0.title}`; `{{` and `}}` are braces. Everything else in braces is refused, so there are no attributes,
calls or format specs. The text may use the neutral rich text (`<b>`, `<a href="https://…">`); what is filled in is
always escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from backend.channels import richtext
from backend.services.texts import values

MAX_TEMPLATE: Final = 3000
MAX_PLACEHOLDERS: Final = 50
MAX_LABEL: Final = 64
MAX_TEXT: Final = 4000
"""UTF-16 units of a rendered text, within what one message of every channel holds."""
_MAX_VALUE: Final = 500
_MAX_DEFAULT: Final = 200

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_PLACEHOLDER: Final = re.compile(rf"({_NAME}(?:\.(?:{_NAME}|\d{{1,4}})){{0,7}})(?:\|([^{{}}]*))?")
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LINK: Final = re.compile(rf"<a(?:{richtext.ATTRIBUTE})+\s*>", re.IGNORECASE)
_HREF: Final = re.compile(r"""\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.IGNORECASE)
_WEB_TEMPLATE: Final = re.compile(r"https?://[^/?#{}\s]+(?:[/?#].*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a template and where: line and column count from 1."""

    code: str
    message: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One place to fill: the path into the data and what stands there without it."""

    path: str
    default: str = ""
    has_default: bool = False
    """Whether a default is written, an empty one too: the value may be missing."""


def problems(template: str) -> list[Problem]:
    """Everything that keeps a text from being a template, in the order of the text."""
    if not richtext.has_visible(richtext.visible(richtext.read(template))):
        return [Problem("template_empty", "The template says nothing.", 1, 1)]
    if richtext.utf16_length(template) > MAX_TEMPLATE:
        return [Problem("template_too_long", f"A template has at most {MAX_TEMPLATE} characters.", 1, 1)]
    all_problems = list(_placeholder_problems(template))
    all_problems += [
        problem_at(
            "link_not_http", "A link is an http(s) address whose host is written out, or one placeholder.", template, at
        )
        for at, address in _links(template)
        if not is_web_template(address)
    ]
    return sorted(all_problems, key=lambda problem: (problem.line, problem.column))


def is_web_template(address: str) -> bool:
    """Whether an address with placeholders can only ever become an http(s) one on a host that is written out.

    One placeholder alone is fine too: its value is checked when it is known.
    """
    alone = _TOKEN.fullmatch(address)
    if alone and alone.group(1) is not None:
        return _PLACEHOLDER.fullmatch(alone.group(1)) is not None
    return len(address) <= values.MAX_URL and _WEB_TEMPLATE.fullmatch(address) is not None


def placeholder_paths(template: str) -> list[str]:
    """The paths a valid template reads, each once, in the order of the text."""
    return list(dict.fromkeys(placeholder.path for placeholder, _ in placeholders(template)))


def placeholders(template: str) -> Iterator[tuple[Placeholder, int]]:
    """The placeholders of a valid template with where each stands, in the order of the text."""
    for match in _TOKEN.finditer(template):
        if match.group(1) is not None and (placeholder := _parse(match.group(1))) is not None:
            yield placeholder, match.start()


def problem_at(code: str, message: str, template: str, at: int) -> Problem:
    """A problem at a place of the text, counted in characters from 0."""
    before = template[:at]
    return Problem(code, message, before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1)


def render(template: str, data: Mapping[str, Any]) -> str:
    """The neutral rich text with the data filled in and escaped, at most `MAX_TEXT` UTF-16 units of visible text.

    Missing data and anything that is no text or number is the default. Long values are shortened, each by itself, so
    that no tag is ever cut. Never raises, whatever the data.
    """
    limit = _MAX_VALUE
    while True:
        text = _fill_markup(template, data, limit)
        if limit < 8 or richtext.utf16_length(richtext.visible(richtext.read(text))) <= MAX_TEXT:
            return text
        limit //= 2


def render_plain(template: str, data: Mapping[str, Any], limit: int) -> str:
    """A label: one line of plain text of at most `limit` graphemes."""
    filled = _fill(template, lambda place: _shown(data, place, _MAX_VALUE))
    return values.line(filled, limit) or ""


def render_url(template: str, data: Mapping[str, Any]) -> str | None:
    """The http(s) address with the data filled in, percent-encoded unless it is the whole address; None if unusable."""
    return values.http_url(_fill_url(template, data))


def has_value(data: Mapping[str, Any], path: str) -> bool:
    """Whether the data holds a text or number at that path."""
    return bool(_shown(data, Placeholder(path), _MAX_VALUE))


def _fill_markup(template: str, data: Mapping[str, Any], limit: int) -> str:
    out, position = [], 0
    for match in _LINK.finditer(template):
        out.append(_fill(template[position : match.start()], lambda place: _escaped(data, place, limit)))
        href = _HREF.search(match.group())
        address = values.http_url(_fill_url(_address(href), data)) if href else None
        # Without an address the words stay: the reader of the rich text drops the empty link.
        out.append(f'<a href="{richtext.escape(address or "")}">')
        position = match.end()
    out.append(_fill(template[position:], lambda place: _escaped(data, place, limit)))
    return "".join(out)


def _fill_url(template: str, data: Mapping[str, Any]) -> str:
    alone = _TOKEN.fullmatch(template)
    if alone and alone.group(1) is not None:
        return _fill(template, lambda place: _shown(data, place, values.MAX_URL))
    return _fill(template, lambda place: quote(_shown(data, place, _MAX_VALUE), safe=""))


def _fill(template: str, show: Callable[[Placeholder], str]) -> str:
    def replace(match: re.Match[str]) -> str:
        if match.group(1) is not None:
            placeholder = _parse(match.group(1))
            return show(placeholder) if placeholder else match.group()
        return match.group()[0]

    return _TOKEN.sub(replace, template)


def _parse(inside: str) -> Placeholder | None:
    match = _PLACEHOLDER.fullmatch(inside.strip())
    if match is None or len(match.group(2) or "") > _MAX_DEFAULT:
        return None
    return Placeholder(match.group(1), match.group(2) or "", match.group(2) is not None)


def _escaped(data: Mapping[str, Any], placeholder: Placeholder, limit: int) -> str:
    return richtext.escape(_shown(data, placeholder, limit))


def _shown(data: Mapping[str, Any], placeholder: Placeholder, limit: int) -> str:
    value = _look_up(data, placeholder.path.split("."))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # Unlike in the built-in layouts, a value may have lines of its own here.
        shown = values.preview(richtext.storable(values.beginning(value, limit)), limit)
    else:
        shown = values.line(value, limit) or ""
    return shown if richtext.has_visible(shown) else placeholder.default


def _look_up(data: Any, path: list[str]) -> Any:
    """Follows keys of objects and positions of lists; never attributes."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal():
            data = data[int(step)] if int(step) < len(data) else None
        else:
            return None
    return data


def _placeholder_problems(template: str) -> Iterator[Problem]:
    count = 0
    for match in _TOKEN.finditer(template):
        if match.group() in ("{{", "}}"):
            continue
        if match.group(1) is None:
            message = "This brace has no partner. A brace itself is written twice."
            yield problem_at("brace_alone", message, template, match.start())
            continue
        count += 1
        if _parse(match.group(1)) is None:
            message = "A placeholder is {name}, {name|default} or {path.to.it}."
            yield problem_at("placeholder_malformed", message, template, match.start())
        elif count == MAX_PLACEHOLDERS + 1:
            message = f"A template has at most {MAX_PLACEHOLDERS} placeholders."
            yield problem_at("too_many_placeholders", message, template, match.start())


def _links(template: str) -> Iterator[tuple[int, str]]:
    for match in _LINK.finditer(template):
        href = _HREF.search(match.group())
        yield match.start(), _address(href) if href else ""


def _address(href: re.Match[str]) -> str:
    return next(group for group in href.groups() if group is not None).strip().replace("&amp;", "&")
