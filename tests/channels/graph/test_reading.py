"""Reading what Meta sends: nothing raises, and nothing that cannot be stored comes out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.channels.graph import reading, versions

ODD: tuple[Any, ...] = (True, None, -1, 1.5, {}, 10**30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1684356391", datetime(2023, 5, 17, 20, 46, 31, tzinfo=UTC)),
        (1684356391, datetime(2023, 5, 17, 20, 46, 31, tzinfo=UTC)),
        (1684356391000, datetime(2023, 5, 17, 20, 46, 31, tzinfo=UTC)),
        ("1684356391000", datetime(2023, 5, 17, 20, 46, 31, tzinfo=UTC)),
        (1684356391.7, datetime(2023, 5, 17, 20, 46, 31, tzinfo=UTC)),
        (True, None), ("", None), ("1e9", None), (-1, None), (10**30, None), ("9" * 40, None), (None, None), ([], None),
        (float("nan"), None), (float("inf"), None),
    ],
)  # fmt: skip
def test_times_are_seconds_or_milliseconds(given: Any, expected: datetime | None) -> None:
    assert reading.moment(given) == expected


def test_texts_can_be_stored() -> None:
    assert reading.text("a\x00b\ud83d").encode()
    assert "\x00" not in reading.text("a\x00b")
    assert reading.text(7) == ""
    assert len(reading.text("x" * 100_000)) == reading.MAX_TEXT


def test_ids_are_texts_or_numbers() -> None:
    assert reading.identifier(106540352242922) == "106540352242922"
    assert reading.identifier(" 1 ") == "1"
    assert [reading.identifier(value) for value in ODD] == [""] * 6


def test_lone_surrogates_in_a_body_are_read() -> None:
    assert reading.document(b'{"a": "\\ud83d"}') == {"a": "\ud83d"}
    assert reading.document(b"{") is None
    assert reading.document(b"[" * 100_000) is None
    assert reading.document(b"\xff") is None


def test_equal_values_have_equal_fingerprints() -> None:
    plain, escaped = reading.document('{"b": "한", "a": 1}'.encode()), reading.document(b'{"a": 1, "b": "\\ud55c"}')
    assert reading.fingerprint(plain) == reading.fingerprint(escaped)
    assert reading.fingerprint({"a": "\ud800"}) != reading.fingerprint({"a": "\ud801"})


@given(JSON)
def test_nothing_raises(value: Any) -> None:
    for read in (reading.moment, reading.text, reading.identifier, reading.fingerprint):
        read(value)
    assert all(isinstance(item, dict) for item in reading.objects(value))
    assert isinstance(reading.mapping(value, "a", "b"), dict)
    assert isinstance(reading.first(value), dict)


def test_versions_end() -> None:
    assert versions.ends_on("v19.0") == date(2026, 5, 21)
    assert versions.ends_on("v12.0") == date(2026, 5, 21)
    assert versions.ends_on(versions.CURRENT) is None
    assert versions.has_ended("v19.0", date(2026, 11, 30))
    assert not versions.has_ended("v25.0", date(2026, 11, 30))
    assert not versions.has_ended("v99.0", date(2026, 11, 30))
