"""The answers that the documentation shows have exactly the fields that are answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from backend.http.schemas.base import ErrorBody, Output
from backend.services.health.readiness import PARTS, STORAGE, WRITES
from tests.test_docs import DOCS, ROOT, blocks

_OTHERS = {"simulator.md", "webhooks.md"}
"""What they show is not answered by the API."""


def answers(path: Path) -> Iterator[dict[str, Any]]:
    """The whole answers of a page, each on a line of its own; nothing that is cut short."""
    for block in blocks(path.read_text(encoding="utf-8"), "json"):
        for line in block.splitlines():
            if line.startswith("{") and line.endswith("}") and "…" not in line:
                yield json.loads(line)


def shapes(kind: type[Output] = Output) -> Iterator[frozenset[str]]:
    """The fields of each schema of an answer."""
    for schema in kind.__subclasses__():
        yield frozenset(schema.model_fields)
        yield from shapes(schema)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_answer_has_the_fields_of_a_schema(path: Path, app: Flask) -> None:
    known = set(shapes())
    for shown in answers(path) if path.name not in _OTHERS else ():
        if "error" in shown and len(shown) == 1:
            assert set(shown["error"]) == set(ErrorBody.model_fields), shown
        else:
            assert frozenset(shown) in known, f"{path.name} shows an answer that no call gives: {shown}"


def test_the_readiness_that_is_shown_has_every_check() -> None:
    shown = next(answers(ROOT / "docs/operations.md"))
    assert [check["name"] for check in shown["checks"]] == ["database", WRITES, *PARTS, STORAGE]
