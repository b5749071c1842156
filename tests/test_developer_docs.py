"""The developers' guides name what there is: functions, files, tables, layers and statements."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from backend.core.database import Base, db, system_scope
from tests.test_docs import DOCS, ROOT, blocks, rows

GUIDES = sorted((ROOT / "docs/developing").glob("*.md"))
PACKAGES = sorted(path.parent.name for path in (ROOT / "backend").glob("*/__init__.py"))
_NAME = re.compile(rf"`((?:{'|'.join(PACKAGES)}|tests)(?:\.\w+)+)`")
_PATH = re.compile(r"`((?:backend|tests|docs|bin|migrations|simulator|services)/[^`<>…{}*]+)`")

each_guide = pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.name))


def named(dotted: str) -> Any:
    """What a dotted name stands for: a module, or something in one. Raises AttributeError where there is no such."""
    names = dotted.split(".")
    found: Any = importlib.import_module("tests" if names[0] == "tests" else "backend")
    module = found.__name__
    for name in names[1:] if names[0] == "tests" else names:
        if module is not None:
            try:
                found, module = importlib.import_module(f"{module}.{name}"), f"{module}.{name}"
                continue
            except ModuleNotFoundError:
                module = None
        found = getattr(found, name)
    return found


def contract(name: str) -> list[str]:
    """The layers of an import contract, from high to low."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = next(one for one in settings["tool"]["importlinter"]["contracts"] if one["name"] == name)
    layers: list[str] = found["layers"]
    return layers


@each_guide
def test_every_name_exists(path: Path) -> None:
    missing = []
    for dotted in _NAME.findall(path.read_text(encoding="utf-8")):
        try:
            named(dotted)
        except AttributeError:
            missing.append(dotted)
    assert missing == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_exists(path: Path) -> None:
    # A command's options follow it, a file's test too.
    named_paths = [re.split(r"\s|::", one)[0] for one in _PATH.findall(path.read_text(encoding="utf-8"))]
    assert [one for one in named_paths if not (ROOT / one).exists() and not (ROOT / "backend" / one).exists()] == []


def test_a_name_that_is_not_there_is_noticed() -> None:
    with pytest.raises(AttributeError):
        named("services.delivery.send_by_pigeon")


def test_the_map_shows_the_layers_as_they_are_held() -> None:
    guide = (ROOT / "docs/developing/README.md").read_text(encoding="utf-8")
    for block, name in (
        ("text layers", "imports run only downwards"),
        ("text services", "services import only services below them"),
        ("text alerts", "alerts import only alerts below them"),
    ):
        assert blocks(guide, block)[0].splitlines() == contract(name), block


def test_the_glossarys_tables_and_modules_exist() -> None:
    glossary = (ROOT / "docs/developing/glossary.md").read_text(encoding="utf-8")
    entries = [cells for cells in rows(glossary) if cells[0] != "word"]
    assert len(entries) > 50
    for word, _, table, module in entries:
        assert table == "–" or table.strip("`") in Base.metadata.tables, word
        assert named(module.strip("`")), word


def test_every_decision_is_listed_and_the_later_ones_have_a_status_and_a_date() -> None:
    folder = ROOT / "docs/decisions"
    listed = {cells[0]: cells for cells in rows((folder / "README.md").read_text(encoding="utf-8"))}
    for path in sorted(folder.glob("[0-9]*.md")):
        cells = listed[path.name[:4]]
        assert f"]({path.name})" in cells[1]
        if path.name >= "0048":
            assert re.fullmatch(r"proposed|accepted|superseded by \d{4}", cells[2]), path.name
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", cells[3]), path.name


def test_the_statements_run(app: Flask) -> None:
    found = [block for guide in GUIDES for block in blocks(guide.read_text(encoding="utf-8"), "sql")]
    statements = [one.strip() for block in found for one in block.split(";") if one.strip()]
    assert len(statements) >= 4
    with system_scope("a test of the documentation"):
        for statement in statements:
            db.session.execute(text(statement))
