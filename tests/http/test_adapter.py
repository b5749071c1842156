"""Answers are written in one pass, and say the same as by Python's own writer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from backend.core.orm import read_json
from backend.http.adapter import RequestAdapter, Written
from backend.http.schemas.base import Instant, Output


class Thing(Output):
    at: Instant
    data: dict[str, Any]


AT = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "data", [{}, {"text": "안녕 ✅ \u2028 \"'<>"}, {"number": 2**80, "share": 0.1, "none": None, "list": [1, [2]]}]
)
def test_an_answer_is_written_as_json(app: Flask, data: dict[str, Any]) -> None:
    written = RequestAdapter(Thing).serialize_output({"at": AT, "data": data})
    assert isinstance(written, Written)
    assert json.loads(written.text) == {"at": "2026-11-29T09:30:00.000Z", "data": data}
    with app.test_request_context():
        response: Any = app.json.response(written)
    assert response.get_json() == {"at": "2026-11-29T09:30:00.000Z", "data": data}


def test_a_text_that_is_no_utf_8_is_escaped(app: Flask) -> None:
    given = {"at": AT, "data": {"text": "half \ud83d"}}
    with app.test_request_context():
        response: Any = app.json.response(RequestAdapter(Thing).serialize_output(given))
    assert response.get_json()["data"] == given["data"]


@pytest.mark.parametrize("value", [{}, [], {"a": 2**80, "b": 1.5e-7, "c": "é"}, None, "text"])
def test_a_json_column_is_read_as_python_reads_it(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value


def test_a_very_deep_json_column_is_read_too() -> None:
    deep = "[" * 400 + "]" * 400
    assert read_json(deep.encode()) == json.loads(deep)
