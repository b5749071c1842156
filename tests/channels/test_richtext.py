"""The neutral rich text: reading never loses a word, cutting never harms a tag or a character."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.channels import richtext
from backend.channels.richtext import Run, Style

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)
CLUSTERS = [
    "a", "가", "é", "e\u0301", "ก็", "👨‍👩‍👧‍👦", "🇰🇷", "👍🏽", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "שלום", "مرحبا", "\u200f", "❤️",
    "&", "<", ">", '"', " ", "  ", "\n", "\r\n", "\t", "word", "1️⃣", "𝄞",
]  # fmt: skip
TAGS = ["<b>", "</b>", "<i>", "</i>", "<u>", "</s>", "<code>", "</code>", "<pre>", "</pre>", "<B >", "</a>",
        '<a href="https://example.com/?a=1&amp;b=2">', "<a href='javascript:alert(1)'>", "<script>", "&lt;", "&amp;",
        "&#128512;", "&bogus;", "<", "</", "<a", "<b"]  # fmt: skip
texts = st.lists(st.sampled_from(CLUSTERS), max_size=60).map("".join)
sources = st.lists(st.sampled_from(CLUSTERS + TAGS), max_size=60).map("".join)


class Checker(HTMLParser):
    """Reads what was written with the standard library's parser: tags must be balanced, their text is collected."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.addresses: list[str] = []
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"b", "i", "u", "s", "code", "pre", "a"}
        assert [name for name, _ in attrs] == (["href"] if tag == "a" else [])
        self.addresses += [value for _, value in attrs if value is not None]
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def without_blanks(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("plain", "plain"),
        ("<b>x</b>", "<b>x</b>"),
        ("<strong>x</strong> <em>y</em> <del>z</del> <ins>w</ins>", "<b>x</b> <i>y</i> <s>z</s> <u>w</u>"),
        ("<b><i>x</b>y</i>z", "<b><i>x</i></b>yz"),
        ("<b>x", "<b>x</b>"),
        ("x</b>", "x"),
        ("<b></b>x", "x"),
        ("<b>x<b>y</b>z</b>", "<b>xyz</b>"),
        ("1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("&lt;b&gt; &amp;amp; &quot;", "&lt;b&gt; &amp;amp; &quot;"),
        ("&copy; AT&T &#128512;", "&amp;copy; AT&amp;T 😀"),
        ('<a href="https://e.com/?a=1&amp;b=2">x</a>', '<a href="https://e.com/?a=1&amp;b=2">x</a>'),
        ("<a href=https://e.com/ class=x>x</a>", '<a href="https://e.com/">x</a>'),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="https://">x</a>', "x"),
        ('<a href="https://e.com/ \nx">x</a>', "x"),
        ("<a>x</a>", "x"),
        ('<b class="y">x</b>', "<b>x</b>"),
        ("a\x00b\ud800c\ud83d\ude00", "a\ufffdb\ufffdc😀"),
    ],
)
def test_markup_is_read_as_people_mean_it(source: str, written: str) -> None:
    assert richtext.write(richtext.read(source)) == written


def test_the_same_style_twice_is_one_style() -> None:
    assert richtext.read("<b>x<b>y</b>z</b>") == [
        Run("x", (Style("b"),)),
        Run("y", (Style("b"),)),
        Run("z", (Style("b"),)),
    ]


def test_deep_nesting_stays_cheap_and_loses_no_text() -> None:
    runs = richtext.read("<b><i>x" * 5000)
    assert richtext.visible(runs) == "x" * 5000


def test_an_absurd_address_is_no_link() -> None:
    assert richtext.write(richtext.read(f'<a href="https://e.com/{"x" * 3000}">y</a>')) == "y"


@pytest.mark.parametrize(
    ("source", "readable"),
    [
        ('See <a href="https://e.com/p">the <b>post</b></a>!', "See the post (https://e.com/p)!"),
        ('<a href="https://e.com">https://e.com</a>', "https://e.com"),
        ('<a href="https://e.com">e.com</a> <b>&lt;x&gt;</b>', "e.com <x>"),
    ],
)
def test_plain_text_keeps_the_addresses(source: str, readable: str) -> None:
    assert richtext.without_markup(richtext.read(source)) == readable


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://example.com/x?y=1#z", True),
        ("http://localhost:8000/", True),
        ("HTTPS://EXAMPLE.COM", True),
        ("tg://user?id=1", False),
        ("javascript:alert(1)", False),
        ("https:///path", False),
        ("https://exa mple.com", False),
        ("https://example.com/\x7f", False),
        ("https://[::1", False),
        ("//example.com", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_links(url: str, fine: bool) -> None:
    assert richtext.is_web_address(url) is fine


@EXAMPLES
@given(texts)
def test_lengths_are_utf16_units(text: str) -> None:
    assert richtext.utf16_length(text) == len(text.encode("utf-16-le")) // 2


@EXAMPLES
@given(texts)
def test_escaped_text_is_read_back(text: str) -> None:
    assert richtext.visible(richtext.read(richtext.escape(text))) == text


@EXAMPLES
@given(sources)
def test_what_is_written_is_balanced_and_reads_the_same(source: str) -> None:
    runs = richtext.read(source)
    markup = richtext.write(runs)
    checked = Checker(markup)
    assert checked.text == richtext.visible(runs)
    assert all(richtext.is_web_address(address) for address in checked.addresses)
    assert richtext.write(richtext.read(markup)) == markup
    assert richtext.count_tags(runs) == len(re.findall(r"<[a-z]", markup))


@EXAMPLES
@given(sources, st.integers(min_value=1, max_value=40))
def test_parts_fit_keep_every_word_and_are_balanced(source: str, limit: int) -> None:
    runs = richtext.read(source)
    parts = richtext.split(runs, limit)
    for part in parts:
        assert richtext.visible(part).strip()
        assert richtext.utf16_length(richtext.visible(part)) <= max(limit, 2)
        Checker(richtext.write(part))
        assert richtext.split(part, max(limit, 2)) == [part]
    joined = "".join(richtext.visible(part) for part in parts)
    assert without_blanks(joined) == without_blanks(richtext.visible(runs))
    styled = [(c, run.styles) for run in runs for c in run.text if not c.isspace()]
    assert [(c, run.styles) for part in parts for run in part for c in run.text if not c.isspace()] == styled


@EXAMPLES
@given(texts, st.integers(min_value=16, max_value=40))
def test_no_cut_divides_a_character(text: str, limit: int) -> None:
    # The longest character above has 14 units, so none has to be divided.
    whole = [cluster for cluster in regex.findall(r"\X", text) if cluster.strip()]
    parts = [richtext.visible(part) for part in richtext.split([Run(text)], limit)]
    assert [cluster for part in parts for cluster in regex.findall(r"\X", part) if cluster.strip()] == whole


@EXAMPLES
@given(st.lists(st.text("abc 가", min_size=1, max_size=20).filter(str.strip).map(str.strip), min_size=1, max_size=30))
def test_lines_stay_whole_where_they_fit(lines: list[str]) -> None:
    parts = [richtext.visible(part) for part in richtext.split([Run("\n".join(lines))], 24)]
    assert [line for part in parts for line in part.split("\n")] == lines


def test_a_long_line_is_cut_after_a_word() -> None:
    parts = richtext.split([Run("one two three four")], 9)
    assert [richtext.visible(part) for part in parts] == ["one two", "three", "four"]


def test_a_character_longer_than_a_part_is_cut_all_the_same() -> None:
    monster = "e" + "\u0301" * 50
    parts = [richtext.visible(part) for part in richtext.split([Run(monster)], 20)]
    assert "".join(parts) == monster
    assert all(len(part) <= 20 for part in parts)


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("short", 5, "short"),
        ("longer text", 8, "longer…"),
        ("👨‍👩‍👧👨‍👩‍👧", 9, "👨‍👩‍👧…"),
        ("🇰🇷🇺🇸", 6, "🇰🇷…"),
    ],
)
def test_shortening_keeps_characters_whole(text: str, limit: int, short: str) -> None:
    assert richtext.shorten(text, limit) == short
    assert richtext.utf16_length(short) <= limit


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("one\ntwo\n\nthree\nfour", 14, ["one\ntwo", "three\nfour"]),
        ("one\ntwo\n\nthree\nfour", 18, ["one\ntwo", "three\nfour"]),
        ("one\ntwo\n\nthree\nfour", 19, ["one\ntwo\n\nthree\nfour"]),
        ("head\n\n" + "x" * 30, 20, ["head", "x" * 20, "x" * 10]),
        ("a\n\nb\n\nc\n\nd", 4, ["a\n\nb", "c\n\nd"]),
        ("a\n\n\n\nb", 3, ["a", "b"]),
    ],
)
def test_a_text_is_cut_at_empty_lines_where_what_follows_fits(text, limit, parts):
    assert [richtext.visible(part) for part in richtext.split(richtext.plain(text), limit)] == parts


@EXAMPLES
@given(st.text("ab \n\r\u0301é가", max_size=40), st.integers(1, 12))
def test_plain_characters_are_cut_as_all_others_are(text: str, limit: int) -> None:
    end = richtext._fitting(text, 0, limit) if text else 0
    assert richtext.utf16_length(text[:end]) <= limit or len(regex.findall(r"\X", text[:end])) <= 1
    rest = regex.findall(r"\X", text)
    assert text[:end] == "".join(rest[: len(regex.findall(r"\X", text[:end]))]) or end <= 1 or len(rest[0]) > limit
