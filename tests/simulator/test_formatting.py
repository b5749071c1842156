"""parse_mode: what Telegram makes of HTML and MarkdownV2, and how it refuses what is broken."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.entities import format_text
from simulator.errors import ApiError
from tests.simulator.wire import refusal
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]


def formatted(text: str, mode: str) -> tuple[str, list[tuple[str, int, int]]]:
    """The text shown, and (type, offset, length) of each entity."""
    shown, entities = format_text(text, mode, None)
    return shown, [(one["type"], one["offset"], one["length"]) for one in entities]


@pytest.mark.parametrize(
    ("source", "shown", "entities"),
    [
        ("a &lt;b&gt; &amp; &quot;c&quot; &#33; &nbsp;", 'a <b> & "c" ! &nbsp;', []),
        (
            "<b>a</b><i>b</i><u>c</u><s>d</s>",
            "abcd",
            [("bold", 0, 1), ("italic", 1, 1), ("underline", 2, 1), ("strikethrough", 3, 1)],
        ),
        ("<b>a <i>b</i></b>", "a b", [("bold", 0, 3), ("italic", 2, 1)]),
        ("😀<code>한</code>", "😀한", [("code", 2, 1)]),
        ('<pre><code class="language-python">x</code></pre>', "x", [("pre", 0, 1)]),
        ('<a href="https://example.test/?a=1&amp;b=2">x</a>', "x", [("text_link", 0, 1)]),
        ("<tg-spoiler>x</tg-spoiler>", "x", [("spoiler", 0, 1)]),
        ("<blockquote expandable>x</blockquote>", "x", [("expandable_blockquote", 0, 1)]),
        ("  <b> a </b>  ", " a", [("bold", 0, 2)]),
        ('<a href="nowhere">x</a>', "x", []),
    ],
)
def test_html(source: str, shown: str, entities: list[tuple[str, int, int]]) -> None:
    assert formatted(source, "HTML") == (shown, entities)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("한<h1>a</h1>", 'Unsupported start tag "h1" at byte offset 3'),
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ('<a href="x>y</a>', "Unclosed start tag at byte offset 0"),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_broken_html(box: TelegramBox, mina: JSON, source: str, reason: str) -> None:
    answer = box.call("sendMessage", chat_id=mina["id"], text=source, parse_mode="HTML")
    assert answer == refusal(400, f"Bad Request: can't parse entities: {reason}")
    assert box.call("sendMessage", chat_id=mina["id"], text=source)["result"]["text"] == source


@pytest.mark.parametrize(
    ("source", "shown", "entities"),
    [
        (
            "*a* _b_ __c__ ~d~ ||e||",
            "a b c d e",
            [("bold", 0, 1), ("italic", 2, 1), ("underline", 4, 1), ("strikethrough", 6, 1), ("spoiler", 8, 1)],
        ),
        (r"\_\*\[\]\(\)\~\`\>\#\+\-\=\|\{\}\.\!", "_*[]()~`>#+-=|{}.!", []),
        ("*a _b_ c*", "a b c", [("bold", 0, 5), ("italic", 2, 1)]),
        ("`a*b.c`", "a*b.c", [("code", 0, 5)]),
        ("```python\nx = 1```", "x = 1", [("pre", 0, 5)]),
        (r"[a](https://example.test/\))", "a", [("text_link", 0, 1)]),
        (">a\n>b\nc", "a\nb\nc", [("blockquote", 0, 4)]),
    ],
)
def test_markdown_v2(source: str, shown: str, entities: list[tuple[str, int, int]]) -> None:
    assert formatted(source, "MarkdownV2") == (shown, entities)


@pytest.mark.parametrize("character", list("#+-=|{}.!)>]"))
def test_reserved_characters_of_markdown_v2(box: TelegramBox, mina: JSON, character: str) -> None:
    answer = box.call("sendMessage", chat_id=mina["id"], text=f"a{character}b", parse_mode="MarkdownV2")
    words = f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
    assert answer == refusal(400, f"Bad Request: can't parse entities: {words}")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("*a", "Can't find end of Bold entity at byte offset 0"),
        ("한 _a", "Can't find end of Italic entity at byte offset 4"),
        ("__a_", "Can't find end of Italic entity at byte offset 3"),
        ("`a", "Can't find end of Code entity at byte offset 0"),
        ("[a](b", "Can't find end of a URL at byte offset 4"),
    ],
)
def test_broken_markdown_v2(source: str, reason: str) -> None:
    with pytest.raises(ApiError) as refused:
        format_text(source, "MarkdownV2", None)
    assert refused.value.body() == refusal(400, f"Bad Request: can't parse entities: {reason}")


def test_the_old_markdown() -> None:
    assert formatted("*a* `b` [c](https://example.test/)", "Markdown") == (
        "a b c",
        [("bold", 0, 1), ("code", 2, 1), ("text_link", 4, 1)],
    )
    with pytest.raises(ApiError, match="Can't find end of the entity starting at byte offset 2"):
        format_text("a *b", "Markdown", None)


def test_parse_mode_in_any_case_and_an_unknown_one(box: TelegramBox, mina: JSON) -> None:
    for mode in ("html", "HTML", "Html"):
        assert box.call("sendMessage", chat_id=mina["id"], text="<b>a</b>", parse_mode=mode)["result"]["text"] == "a"
    answer = box.call("sendMessage", chat_id=mina["id"], text="a", parse_mode="BBCode")
    assert answer == refusal(400, "Bad Request: unsupported parse_mode")


def test_entities_found_in_the_text() -> None:
    shown, entities = formatted("/go@demo_bot see https://example.test/a, a.b@example.test #tag @mina_park", "")
    found = [(kind, shown[start : start + length]) for kind, start, length in entities]
    assert found == [
        ("bot_command", "/go@demo_bot"),
        ("url", "https://example.test/a"),
        ("email", "a.b@example.test"),
        ("hashtag", "#tag"),
        ("mention", "@mina_park"),
    ]
