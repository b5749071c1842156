"""Headers and numbers of other servers: whatever they are, nothing raises and nothing is waited for without end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.egress import answers

NOW = datetime(2026, 2, 26, 10, 30, tzinfo=UTC)
HOUR = 3600.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("7.5", 7.5),
        ("007", 7.0),
        ("7, 7", 7.0),
        (7, 7.0),
        (7.5, 7.5),
        ("3601", HOUR),
        ("99999999999999", HOUR),
        ("9" * 120, HOUR),
        ("1e3", 1000.0),
        ("1e400", HOUR),
        (10**400, HOUR),
        (1e300, HOUR),
        ("Thu, 26 Feb 2026 10:31:00 GMT", 60.0),
        ("Thursday, 26-Feb-26 10:31:00 GMT", 60.0),
        ("Thu Feb 26 10:31:00 2026", 60.0),
        ("Thu, 26 Feb 2026 11:31:00 +0100", 60.0),
        ("Thu, 26 Feb 2026 10:29:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", HOUR),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("inf", None),
        ("Infinity", None),
        ("nan", None),
        (float("inf"), None),
        (float("-inf"), None),
        (float("nan"), None),
        ("-1", None),
        (-1, None),
        (-(10**400), None),
        ("", None),
        ("soon", None),
        ("\u0661\u0662", None),
        ("1_000", None),
        ("9" * 5000, None),
        ("Mon, 99 Zzz 99999 99:99:99 GMT", None),
        (True, None),
        (None, None),
        ([7], None),
        ({}, None),
    ],
)
def test_what_is_waited_for(value: object, expected: float | None) -> None:
    assert answers.retry_after(value, now=NOW, most=HOUR) == expected


@given(st.one_of(st.text(), st.integers(), st.floats(), st.from_regex(r"[0-9eE+.,: GMTadFrib-]{0,40}")))
def test_no_wait_is_negative_or_longer_than_allowed(value: object) -> None:
    found = answers.retry_after(value, now=NOW, most=HOUR)
    assert found is None or 0 <= found <= HOUR


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (10**400, None),
        (-1, None),
        (1.0, None),
        ("1", None),
        (True, None),
        (None, None),
    ],
)
def test_whole_numbers(value: object, expected: int | None) -> None:
    assert answers.whole_number(value) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": [-Infinity, 1e400, 1.5]}', {"a": None, "b": [None, None, 1.5]}),
        (b"[" + b"9" * 4000 + b"]", [int("9" * 4000)]),
        (b"null", None),
    ],
)
def test_json_that_can_be_read(body: bytes, expected: Any) -> None:
    assert answers.read_json(body) == expected


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, json.dumps("x").encode()[:-1]]
)
def test_json_that_cannot_be_read(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        answers.read_json(body)
