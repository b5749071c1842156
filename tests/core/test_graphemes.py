"""Clusters in bounded windows: the same as without windows, and their cost grows with the text and no faster."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.channels import richtext
from backend.channels.richtext import Run
from backend.core import graphemes
from backend.core.graphemes import WINDOW, clusters
from backend.services.texts import values

CLASSES = {
    "other": "a",
    "CR": "\r",
    "LF": "\n",
    "Control": "\u200b",
    "Extend": "\u0301",
    "ZWJ": "\u200d",
    "Regional_Indicator": "\U0001f1e6",
    "Prepend": "\u0600",
    "SpacingMark": "\u0903",
    "L": "\u1100",
    "V": "\u1161",
    "T": "\u11a8",
    "LV": "가",
    "LVT": "각",
    "Extended_Pictographic": "\U0001f468",
    "Emoji_Modifier": "\U0001f3fd",
    "Variation_Selector": "\ufe0f",
    "Tag": "\U000e0067",
    "InCB_Consonant": "\u0915",
    "InCB_Linker": "\u094d",
    "space": " ",
}
"""One of each of Unicode's break classes (UAX #29), and of those that its rules treat in another way."""
EXAMPLES = settings(max_examples=300, deadline=None, derandomize=True)
mixtures = st.lists(st.sampled_from(list(CLASSES.values())), max_size=WINDOW).map("".join)
units = st.lists(st.sampled_from(list(CLASSES.values())), min_size=1, max_size=6).map("".join)


@pytest.fixture
def steps(monkeypatch):
    """The sum of the squares of the windows that the engine was given: the most that it can have cost."""
    counted = [0]
    original = graphemes._divide

    def divide(chunk: str) -> list[str]:
        assert len(chunk) <= WINDOW
        counted[0] += len(chunk) ** 2
        return original(chunk)

    monkeypatch.setattr(graphemes, "_divide", divide)
    return counted


@given(mixtures)
@EXAMPLES
def test_short_texts_are_divided_as_the_engine_does(text):
    assert list(clusters(text)) == regex.findall(r"\X", text)


@given(st.lists(mixtures.map(lambda text: text[:30]), max_size=20).map("a".join))
@EXAMPLES
def test_longer_texts_are_divided_as_without_windows(text):
    assert list(clusters(text)) == regex.findall(r"\X", text)


@pytest.mark.parametrize(
    "unit", ["\U0001f1e6", "a\u0301", "\U0001f468\u200d\U0001f469", "\u0915\u094d\u0937", "각", "\r\n", "ab"]
)
def test_what_crosses_the_end_of_a_window_stays_whole(unit):
    for before in range(WINDOW - 6, WINDOW + 2):
        text = "x" * before + unit * 40
        assert list(clusters(text)) == regex.findall(r"\X", text)


@pytest.mark.parametrize("mark", ["Extend", "ZWJ", "Variation_Selector", "Tag", "InCB_Linker", "SpacingMark"])
def test_a_cluster_that_never_ends_is_divided_at_windows(mark):
    text = "a" + CLASSES[mark] * 1000
    found = list(clusters(text))
    assert "".join(found) == text
    assert max(map(len, found)) == WINDOW


@pytest.mark.parametrize("first", CLASSES)
def test_cost_grows_with_the_text(first, steps):
    for other in ("", *CLASSES.values()):
        check_growth(CLASSES[first] + other, steps)


def check_growth(unit: str, steps: list[int]) -> None:
    costs = []
    for count in (4 * WINDOW, 16 * WINDOW):
        steps[0] = 0
        text = unit * (count // len(unit))
        assert sum(map(len, clusters(text))) == len(text)
        costs.append(steps[0] / count)
    assert max(costs) <= 4 * WINDOW
    assert costs[1] <= 2 * costs[0]


@given(units, st.sampled_from([1, 7, 100, 1024, 4096]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_cutting_costs_a_window_for_each_character(unit, limit):
    counted = [0]
    original = graphemes._divide

    def divide(chunk: str) -> list[str]:
        counted[0] += len(chunk) ** 2
        return original(chunk)

    graphemes._divide = divide
    try:
        text = unit * (3000 // len(unit))
        parts = richtext.split([Run(text)], limit)
        most = len(text) * WINDOW * 4 + len(parts) * WINDOW**2 * 2
        assert counted[0] <= most
        values.preview(text, limit)
        richtext.shorten(text, limit)
        assert counted[0] <= 3 * most + 2 * WINDOW**2
    finally:
        graphemes._divide = original


def test_flags_stay_in_pairs_in_every_part():
    flags = "\U0001f1f0\U0001f1f7"
    parts = richtext.split([Run(flags * 14_950)], 4096)
    assert all(richtext.visible(part) == flags * (len(richtext.visible(part)) // 2) for part in parts)
    assert sum(len(richtext.visible(part)) for part in parts) == 29_900
