"""What a stranger's data may cost: a value is looked at as far as it can be shown, however long it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backend.channels import richtext
from backend.services.notifications import texts
from backend.services.texts import templates, values

LONG = {
    "letters": "x" * 1_000_000,
    "blanks": " " * 1_000_000,
    "blanks, then words": " " * 1_000_000 + "words",
    "words, then blanks": "words" + " " * 1_000_000,
    "lines": "a\n" * 500_000,
    "flags": "\U0001f1e6" * 500_000,
    "marks": "e" + "\u0301" * 1_000_000,
    "half surrogates": "\ud800" * 1_000_000,
    "markup": "<b>" * 300_000,
    "braces": "{" * 1_000_000,
}


@pytest.fixture
def looked_at(monkeypatch):
    """How many characters the costly functions were given."""
    counted = [0]
    for owner, name in ((richtext, "storable"), (values, "preview")):
        original = getattr(owner, name)

        def look(text, *rest, original=original):
            counted[0] += len(text)
            return original(text, *rest)

        monkeypatch.setattr(owner, name, look)
    return counted


@pytest.mark.parametrize("kind", LONG)
def test_a_template_costs_the_same_with_a_value_of_any_length(kind, looked_at):
    template = "{a}" * templates.MAX_PLACEHOLDERS
    text = templates.render(template, {"a": LONG[kind]})
    assert richtext.utf16_length(richtext.visible(richtext.read(text))) <= templates.MAX_TEXT
    assert looked_at[0] < 8 * templates.MAX_PLACEHOLDERS * 2 * 10_000
    looked_at[0] = 0
    templates.render_plain(template, {"a": LONG[kind]}, 64)
    templates.render_url("https://example.test/?a={a}", {"a": LONG[kind]})
    assert looked_at[0] < 60 * 2 * 10_000 + 100_000


@pytest.mark.parametrize("kind", LONG)
def test_a_line_costs_the_same_with_a_value_of_any_length(kind, looked_at):
    shown = values.line(LONG[kind], 200)
    assert shown is None or len(shown) <= 200 * 3 + 41
    assert looked_at[0] < 10_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  words  ", "words"),
        ("words" + " " * 100_000, "words"),
        (" " * 100_000 + "words", "words"),
        ("words" + " " * 100_000 + "more", "words…"),
        ("x" * 100_000, "x" * 199 + "…"),
    ],
)
def test_what_is_left_out_is_shown_by_an_ellipsis(text, expected):
    assert values.line(text, 200) == expected
    assert templates.render("{a}", {"a": text})[:200] == (expected if len(expected) < 200 else "x" * 200)


def test_lists_and_maps_are_read_as_far_as_they_are_shown(monkeypatch):
    counted = [0]
    original = values.line

    def line(*given):
        counted[0] += 1
        return original(*given)

    monkeypatch.setattr(values, "line", line)
    assert len(values.names(["Instagram"] * 100_000, 50)) == 200
    data = {"platforms": {f"p{number}": {"posts": 1} for number in range(50_000)}}
    shown = "\n".join(texts._daily_summary(data, datetime(2026, 11, 29, tzinfo=UTC), "en"))
    assert f"{50_000 - texts.MAX_PLATFORMS:,}" in shown
    assert counted[0] < 500
