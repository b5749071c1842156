"""What is a tag, and what only begins like one; which texts show anything at all."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.channels import richtext

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    "text",
    [
        "usage: tar <a file> <b dir>",
        "if a <b && c> d",
        "for (<i = 0; i> n)",
        "<s: 5>",
        "<b/> and <i />",
        "<b class=x> without quotes",
        "<b class='x> a quote too few",
        "<b class> no value",
        "cp <a>",
        "cp <a> to there",
        "<a name=x>",
        "<pre text> <code x> <u-turn> <ins ert>",
        "</b of it>",
        "</a href='https://example.com'>",
        "<bold> <abbr> <img src='x'> <script>",
        "a<b>c"[:2],
        "< b > < /b >",
        "<b\u00a0dir>",
    ],
)
def test_what_only_begins_like_a_tag_is_text(text: str) -> None:
    assert richtext.visible(richtext.read(text)) == text
    assert richtext.count_tags(richtext.read(text)) == 0


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<b class=\"y\" id='z'>x</b>", "<b>x</b>"),
        ('<code class="language-go">f()</code>', "<code>f()</code>"),
        ("<B\n>x</B\t>", "<b>x</b>"),
        ("<a href=https://example.com/?a=b target=_blank>x</a>", '<a href="https://example.com/?a=b">x</a>'),
        ('<a  href = "https://example.com/">x</a>', '<a href="https://example.com/">x</a>'),
        ('<a href="">x</a>', "x"),
        ("<a>x</a>", "x"),
        ('<a class="x">y</a>', "y"),
        ("cp <a> <a href='https://example.com/'>x</a>", 'cp &lt;a&gt; <a href="https://example.com/">x</a>'),
    ],
)
def test_well_formed_tags_are_markup(text: str, written: str) -> None:
    assert richtext.write(richtext.read(text)) == written


names = st.sampled_from(["a", "b", "i", "u", "s", "code", "pre", "em", "strong", "x"])
words = st.text("abc &|=/;:,.()[]", min_size=1, max_size=12).filter(lambda text: "=" not in text and text.strip(" /"))


@EXAMPLES
@given(st.lists(st.tuples(names, words), min_size=1, max_size=8))
def test_words_in_angle_brackets_are_never_lost(pieces: list[tuple[str, str]]) -> None:
    text = " ".join(f"<{name} {word}>" for name, word in pieces)
    assert richtext.visible(richtext.read(text)) == text


BLANK = [
    "\u200b", "\u200b\u200c\u200d", "\u2060", "\ufeff", "\u00ad", "\u3164", "\u115f\u1160", "\uffa0", "\u2800",
    "\u180e", "\u034f", "\u061c", "\u202a\u202c", "\u2066\u2069", "\ufe0f", "\U000e0001\U000e0041", "\U000e0100",
    " \n\t\u3000\u200b", "\u2028\u2029", "\x07\x1b\x9f", "\u00a0", "\u17b4", "\ufff9\ufffb", "\U0001d173", "",
]  # fmt: skip


@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_invisible_text_shows_nothing(text: str) -> None:
    assert not richtext.has_visible(text)


@pytest.mark.parametrize(
    "text", ["a", "가", "❤️", "\u200ba\u200b", ".", "👨‍👩‍👧", "\u0301", "\u0600", "🇰🇷", "_", "\ufffd"]
)
def test_anything_else_shows_something(text: str) -> None:
    assert richtext.has_visible(text)


def test_letters_digits_and_signs_show_something() -> None:
    hidden = {chr(code) for code in range(0x3000) if not richtext.has_visible(chr(code))}
    shown = {"L", "N", "S"}
    fillers = {"\u115f", "\u1160", "\u2800"}
    assert {char for char in hidden if unicodedata.category(char)[0] in shown} == fillers
