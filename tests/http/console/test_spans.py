"""Spans of time in forms: what people write, and what they read back."""

from __future__ import annotations

import pytest

from backend.http.console.kit import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("4h", 14_400),
        ("1d", 86_400),
        ("1h 30m", 5400),
        ("1H30M", 5400),
        (" 90 ", 90),
        ("0", 0),
    ],
)
def test_a_span_is_read(text, seconds):
    assert durations.read(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 weeks", "1.5h", "m", "5m!"])
def test_what_is_no_span_is_refused(text):
    assert durations.read(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0, "0s"), (30, "30s"), (3000, "50m"), (5400, "1h 30m"), (86_400, "1d")]
)
def test_a_span_is_shown_as_it_can_be_read(seconds, text):
    assert durations.shown(seconds) == text
    assert seconds is None or durations.read(text) == seconds


@pytest.mark.parametrize(
    ("locale", "seconds", "text"),
    [("en", 6000, "1 h 40 min"), ("ko", 6000, "1시간 40분"), ("ko", 90_030, "1일 1시간 30초"), ("en", 0, "0 s")],
)
def test_a_span_in_a_sentence_is_in_its_language(locale, seconds, text):
    assert durations.words(seconds, locale) == text
