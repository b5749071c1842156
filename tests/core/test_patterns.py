"""Patterns of strangers: what the engine reads, what it refuses before it costs anything, and what a test costs."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core import patterns
from backend.core.patterns import MAX_SIZE, PatternRefused, compile_pattern


def refusal(text: str) -> str | None:
    try:
        compile_pattern(text)
    except PatternRefused as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("pattern", "value", "holds"),
    [
        ("pay.*", "payments", True),
        ("pay", "payments", False),
        ("edge|db", "db", True),
        ("edge|db", "dbx", False),
        ("", "", True),
        (".*", "two\nlines", False),
        ("(?s).*", "two\nlines", True),
        ("(?i)PAY.*", "payments", True),
        ("결제-.", "결제-가", True),
        ("...", "🇰🇷가", True),
        (r"\d{1,3}", "250", True),
        (r"(?P<name>a)b", "ab", True),
        ("(" * 400 + ")" * 400, "", True),
        ("a{1000}", "a" * 1000, True),
        (".", "\ud800", True),
    ],
)
def test_a_pattern_holds_for_a_whole_value(pattern, value, holds):
    assert compile_pattern(pattern).matches(value) is holds


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("a{5000000}", "pattern_too_large"),
        ("a{2147483648}", "pattern_too_large"),
        ("a{99999999999999999999}", "pattern_too_large"),
        ("a{1,5000000}", "pattern_too_large"),
        ("a{1001,}", "pattern_too_large"),
        ("a{00001001}", "pattern_too_large"),
        ("((a{100}){100}){100}", "pattern_too_large"),
        (r"\pL{1000}", "pattern_too_large"),
        (r"(?i)[\x{80}-\x{10ffff}]{900}", "pattern_too_large"),
        (".*a" * 334, "pattern_too_large"),
        ("a" * 1001, "pattern_too_large"),
        ("(" * 501 + ")" * 501, "pattern_too_large"),
        ("(", "bad_pattern"),
        ("*", "bad_pattern"),
        (r"(a)\1", "bad_pattern"),
        ("(?=a)", "bad_pattern"),
        ("(?<!a)b", "bad_pattern"),
        ("(?>a)", "bad_pattern"),
        ("(?R)", "bad_pattern"),
        (r"\X", "bad_pattern"),
        ("\ud800", "bad_pattern"),
    ],
)
def test_what_cannot_be_bounded_is_refused(pattern, code):
    assert refusal(pattern) == code


@pytest.mark.parametrize("pattern", ["(?:a|aa)+b", "(a*)*b", "(a|a?)+b", "(.*)*x", "([a-z]+)*!", "(?:a?){400}a{400}"])
def test_a_test_costs_no_more_than_program_times_value(pattern):
    compiled = compile_pattern(pattern)
    assert compiled.size <= MAX_SIZE
    assert compiled.steps("a" * 1000) == compiled.size * 1001
    assert not compiled.matches("a" * 300 + "-")


def test_a_refused_pattern_takes_no_memory():
    refusal("a{4999999}")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(5_000_000, 5_000_050):
        assert refusal(f"a{{{number}}}") == "pattern_too_large"
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 100_000
    assert peak - before < 200_000


def test_what_is_kept_is_bounded():
    for number in range(2 * patterns._KEPT):
        compile_pattern(f"host-{number}")
    assert patterns._compiled.cache_info().currsize == patterns._KEPT


@given(st.text(alphabet="ab{}()[]|*+?\\^$.,0129:<>=!-é가𝄞\n", max_size=40), st.text(max_size=40))
def test_whatever_is_written_is_a_pattern_or_refused(text, value):
    code = refusal(text)
    assert code in (None, "bad_pattern", "pattern_too_large")
    if code is None:
        compiled = compile_pattern(text)
        assert compiled.size <= MAX_SIZE
        assert compiled.matches(value) in (True, False)
