"""What a monitoring system cannot mend is repaired and told by codes."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import BadRequest
from backend.http import bodies, tolerant_json


@pytest.mark.parametrize(
    ("raw", "value", "codes"),
    [
        (b'{"a": "x"}', {"a": "x"}, ()),
        (b'{"a": "x\\u0000y"}', {"a": "x�y"}, ("nul_character",)),
        (b'{"a": "x\x00y\x01\n"}', {"a": "x�y\x01\n"}, ("nul_character",)),
        (b'{"a\\u0000": {"b": ["\\u0000"]}}', {"a�": {"b": ["�"]}}, ("nul_character",)),
        (b'{"a": "\\ud83d"}', {"a": "�"}, ("half_surrogate",)),
        (b'{"a": "\\ude00 \\ud83d"}', {"a": "� �"}, ("half_surrogate",)),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}, ()),
        (b'{"a": "\xed\xa0\xbd\xed\xb8\x80"}', {"a": "😀"}, ("half_surrogate",)),
        (b'{"a": "\xed\xa0\xbd \\u0000"}', {"a": "� �"}, ("half_surrogate", "nul_character")),
        (b'{"a": "caf\xe9"}', {"a": "caf�"}, ("invalid_utf8",)),
        (b'{"a": "\xf0\x9f\x98"}', {"a": "�"}, ("invalid_utf8",)),
        (b'{"a": "\xc0\x80"}', {"a": "��"}, ("invalid_utf8",)),
        (b'\xef\xbb\xbf{"a": "x"}', {"a": "x"}, ("byte_order_mark",)),
        ('{"a": "서"}'.encode("utf-16"), {"a": "서"}, ("other_encoding",)),
        ('{"a": "서"}'.encode("utf-16-be"), {"a": "서"}, ("other_encoding",)),
        ('{"a": "서"}'.encode("utf-32"), {"a": "서"}, ("other_encoding",)),
        (b'{"a": 9223372036854775807}', {"a": 2**63 - 1}, ()),
        (b'{"a": 9223372036854775808}', {"a": "9223372036854775808"}, ("large_integer",)),
        (b'{"a": -' + b"9" * 5000 + b"}", {"a": "-" + "9" * 5000}, ("large_integer",)),
        (b'{"a": 1e400}', {"a": "1e400"}, ("number_not_finite",)),
        (b'{"a": [NaN, -Infinity]}', {"a": ["NaN", "-Infinity"]}, ("number_not_finite",)),
        (b'"\\u0000"', "�", ("nul_character",)),
        (b'{"a":' * 34 + b"1" + b"}" * 34, None, ("nested_too_deeply",)),
    ],
)
def test_what_cannot_be_stored_is_repaired(raw: bytes, value: Any, codes: tuple[str, ...]) -> None:
    found = tolerant_json.parse(raw)
    assert found[1] == codes
    if value is not None:
        assert found[0] == value
    bodies.check_value(found[0])


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"a": 1} x', b"alerts=1", b"[" * 100_000, b'{"a":' * 100_000, b"\x00\x00\x00\x00", b"\xff\xfe"]
)
def test_what_is_no_json_is_still_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        tolerant_json.parse(raw)


@given(st.binary(max_size=40).map(lambda middle: b'{"labels": {"a": "' + middle + b'"}}'))
def test_whatever_stands_in_a_string_is_storable_or_no_json(raw: bytes) -> None:
    try:
        value, _ = tolerant_json.parse(raw)
    except BadRequest:
        return
    bodies.check_value(value)
    json.dumps(value, ensure_ascii=False).encode()


def test_a_large_body_is_not_held_many_times() -> None:
    alert = {"labels": {f"label{n}": "v" * 20 for n in range(10)}, "annotations": {"description": "x" * 15_000}}
    raw = json.dumps({"alerts": [alert] * 500}).encode()
    assert 7_000_000 < len(raw) < tolerant_json.MAX_BYTES
    tracemalloc.start()
    try:
        tolerant_json.parse(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(raw), "beside the body its text, and the values"
