"""Templates, style sheets and scripts: laid out to be read, in their page's folder, and naming only what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from flask import Flask

from backend.http import console
from backend.http.console.kit import components

FOLDER: Final = Path(console.__file__).parent
TEMPLATES: Final = sorted(FOLDER.rglob("*.html"))
STYLES: Final = sorted((FOLDER / "static/css").glob("*.css"))
SCRIPTS: Final = sorted((FOLDER / "static/js").glob("*.js"))
MAX_LINE: Final = 160
SET_BY_OTHERS: Final = frozenset({"segno", "qrline", "push", "htmx-request"})
"""Classes that libraries give (a link as a picture, a request under way), and one that only styles its neighbours."""

_STATEMENT: Final = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_VALUE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_WORD: Final = re.compile(r"[a-z][a-z0-9-]*")


def content() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in TEMPLATES)


def classes_in_markup() -> set[str]:
    """Classes that a template or a script gives; of an expression, the words that it may become."""
    found: set[str] = set()
    for given in re.findall(r'class="([^"]*)"', content()):
        quoted = " ".join(word for value in _VALUE.findall(given) for word in re.findall(r"'([^']*)'", value))
        found |= set(_WORD.findall(_VALUE.sub(" ", _STATEMENT.sub(" ", given)))) | set(_WORD.findall(quoted))
    for given in re.findall(r'\bcls="([^"]*)"', content()):
        found |= set(_WORD.findall(given))
    for path in SCRIPTS:
        found |= set(re.findall(r'className = "([^"]+)"', path.read_text(encoding="utf-8")))
    return found


def selectors() -> Iterator[str]:
    for path in STYLES:
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        yield from re.findall(r"[^{};]+(?=\{)", text)


def classes_in_styles() -> set[str]:
    return {name for selector in selectors() for name in re.findall(r"\.([a-z][\w-]*)", selector)}


def test_no_line_is_too_long_to_read() -> None:
    too_long = {
        f"{path.relative_to(FOLDER)}:{number}"
        for path in (*TEMPLATES, *STYLES, *SCRIPTS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > MAX_LINE
    }
    assert not too_long


def test_a_template_stands_in_the_folder_of_its_page() -> None:
    for path in TEMPLATES:
        page, templates, prefix = path.relative_to(FOLDER).parts[:3]
        assert (templates, prefix) == ("templates", page), path


def test_every_template_is_read_by_jinja(app: Flask) -> None:
    assert len(TEMPLATES) > 50
    for path in TEMPLATES:
        app.jinja_env.get_template("/".join(path.relative_to(FOLDER).parts[2:]))


def test_what_a_template_includes_exists(app: Flask) -> None:
    named = set(re.findall(r'\{%-? (?:include|extends|import|from) "([^"]+)"', content()))
    known = {"/".join(path.relative_to(FOLDER).parts[2:]) for path in TEMPLATES}
    assert named
    assert named <= known


@pytest.mark.parametrize("name", sorted(components.NAMES))
def test_a_component_is_a_macro_of_its_files_name_that_says_what_it_is(app: Flask, name: str) -> None:
    source = (components.FOLDER / f"{name}.html").read_text(encoding="utf-8")
    assert source.startswith("{# ")
    assert re.findall(r"\{%-? macro (\w+)\(", source) == [name]
    assert callable(getattr(components.Components(app.jinja_env), name))


def test_the_pages_use_every_component_and_no_other() -> None:
    used = set(re.findall(r"\bui\.(\w+)\(", content()))
    assert used == components.NAMES


def test_every_icon_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="([\w-]+)"', (FOLDER / "static/icons.svg").read_text(encoding="utf-8")))
    named = set(re.findall(r'\bui\.icon\("([\w-]+)"', content())) | {glyph for _, glyph in components.STATES.values()}
    assert sprite
    assert named <= sprite


def test_every_class_of_a_template_is_styled() -> None:
    assert classes_in_markup() - classes_in_styles() - SET_BY_OTHERS == set()


def test_every_style_is_of_something_that_there_is() -> None:
    assert classes_in_styles() - classes_in_markup() - SET_BY_OTHERS == set()


def test_the_page_loads_every_style_sheet() -> None:
    shell = (FOLDER / "kit/templates/kit/shell.html").read_text(encoding="utf-8")
    (listed,) = re.findall(r"\{% for sheet in \[(.*?)\] %\}", shell)
    assert sorted(re.findall(r'"(\w+)"', listed)) == [path.stem for path in STYLES]


def test_every_script_is_reached_from_the_first_one() -> None:
    reached, waiting = set(), {"main.js"}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        source = (FOLDER / "static/js" / name).read_text(encoding="utf-8")
        waiting |= set(re.findall(r'^import .*"\./([\w.]+)";', source, re.MULTILINE)) - reached
    assert reached == {path.name for path in SCRIPTS}
