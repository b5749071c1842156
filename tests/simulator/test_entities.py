"""Formatting as a whole: all that MarkdownV2 has, mentions, moments, explicit entities, what lies over what."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.entities import format_text, is_visible
from simulator.errors import ApiError
from tests.simulator.wire import refusal
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
MOMENT = 1_790_000_000
EVERYTHING = f"""*a\\*b* _c_ __d__ ~e~ ||f||
*g _h ~i ||j||~ __k___ l*
[page](https://example.test/\\)) [person](tg://user?id=77)
![👍](tg://emoji?id=5368324170671202286) ![then](tg://time?unix={MOMENT}&format=wDT)
`m*n`
```
o
```
```python
p
```
>q
>r
**>s
>t||"""


def shown(text: str, entities: list[JSON]) -> list[tuple[str, str]]:
    """(kind, the part of the text it lies over) of each entity."""
    units = text.encode("utf-16-le")
    parts = [
        units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")
        for entity in entities
    ]
    return [(entity["type"], part) for entity, part in zip(entities, parts, strict=True)]


def marked(source: str, mode: str = "MarkdownV2") -> tuple[str, list[tuple[str, str]]]:
    """The text shown, and what lies over which part of it."""
    text, entities = format_text(source, mode, None, find_user=lambda user_id: {"id": user_id})
    return text, shown(text, entities)


def reason(source: str, mode: str = "MarkdownV2") -> str:
    """Why a formatted text is refused."""
    with pytest.raises(ApiError) as refused:
        format_text(source, mode, None)
    return refused.value.description.removeprefix("Bad Request: can't parse entities: ")


def test_everything_that_markdown_v2_has() -> None:
    text, parts = marked(EVERYTHING)
    assert text.startswith("a*b c d e f\ng h i j k l\npage person\n👍 then\nm*n\n")
    assert parts == [
        ("bold", "a*b"),
        ("italic", "c"),
        ("underline", "d"),
        ("strikethrough", "e"),
        ("spoiler", "f"),
        ("bold", "g h i j k l"),
        ("italic", "h i j k"),
        ("strikethrough", "i j"),
        ("spoiler", "j"),
        ("underline", "k"),
        ("text_link", "page"),
        ("text_mention", "person"),
        ("custom_emoji", "👍"),
        ("date_time", "then"),
        ("code", "m*n"),
        ("pre", "o\n"),
        ("pre", "p\n"),
        ("blockquote", "q\nr\n"),
        ("expandable_blockquote", "s\nt"),
    ]


@pytest.mark.parametrize(
    ("source", "text", "parts"),
    [
        (">a||b||||", "ab", [("expandable_blockquote", "ab"), ("spoiler", "b")]),
        (">a\r\n>b||\r\nc", "a\nb\nc", [("expandable_blockquote", "a\nb\n")]),
        (">a||b||\nc", "ab\nc", [("blockquote", "ab\n"), ("spoiler", "b")]),
        ("*>a\n*b", "a\nb", [("blockquote", "a\n"), ("bold", "a\n")]),
        ("a\n>\n>b\n\nc", "a\n\nb\n\nc", [("blockquote", "\nb\n")]),
        (">`a\n>b`\n>c", "a\n>b\nc", [("blockquote", "a\n>b\nc"), ("code", "a\n>b")]),
        (">a\n**>b\n**>c", "a\nb\nc", [("blockquote", "a\n"), ("blockquote", "b\n"), ("blockquote", "c")]),
        ("a \\>b", "a >b", []),
        ("_a __b___", "a b", [("italic", "a b"), ("underline", "b")]),
    ],
)
def test_quotations_and_nesting_in_markdown_v2(source: str, text: str, parts: list[tuple[str, str]]) -> None:
    assert marked(source) == (text, parts)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("![👍]", "The entity must contain a tg://emoji or tg://time URL"),
        ("![👍](https://example.test/)", "Invalid tg://emoji or tg://time URL specified"),
        ("![👍](tg://emoji?id=025)", "Invalid tg://emoji or tg://time URL specified"),
        ("![👍](tg://time?unix=0)", "Invalid tg://emoji or tg://time URL specified"),
        ("![👍](tg://time?unix=5&format=rt)", "Invalid date format used"),
        ("![👍](tg://emoji?id=1", "Can't find end of a URL at byte offset 8"),
        (">*a\n>b\nc*", "Can't find end of Bold entity at byte offset 1"),
        (">a\n>||b\nc||", "Can't find end of Spoiler entity at byte offset 4"),
        ("__a _b___", "Can't find end of Italic entity at byte offset 8"),
        ("*a _b* c_", "Can't find end of Italic entity at byte offset 8"),
        ("a >b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
    ],
)
def test_markdown_v2_that_is_refused(source: str, words: str) -> None:
    assert reason(source) == words


@pytest.mark.parametrize(
    ("given", "kept"), [("wDT", "wDT"), ("Tw", "wT"), ("tTdD", "dt"), ("R", "r"), ("W", "w"), ("", "")]
)
def test_the_format_of_a_moment(given: str, kept: str) -> None:
    for source, mode in (
        (f"![x](TG://Time/?unix={MOMENT}&format={given})", "MarkdownV2"),
        (f'<tg-time unix="{MOMENT}" format="{given}">x</tg-time>', "HTML"),
    ):
        _, entities = format_text(source, mode, None)
        moment = {"type": "date_time", "offset": 0, "length": 1, "unix_time": MOMENT, "date_time_format": kept}
        assert entities == [moment]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (f'<tg-time unix="{MOMENT}" format="x">a</tg-time>', "Invalid date format used"),
        ("<tg-time>a</tg-time>", "Invalid Unix time specified"),
        ('<tg-emoji emoji-id="x">a</tg-emoji>', "Invalid custom emoji identifier specified"),
    ],
)
def test_html_that_is_refused(source: str, words: str) -> None:
    assert reason(source, "HTML") == words


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("<b>a<code>b</code>c</b>", [("bold", "a"), ("code", "b"), ("bold", "c")]),
        ("<b>a<i>b</i></b><b>c</b>", [("bold", "abc"), ("italic", "b")]),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", [("blockquote", "ab")]),
        ('<code class="language-go"><pre>a</pre></code>', [("pre", "a")]),
        ("<b>https://example.test/a</b>", [("url", "https://example.test/a"), ("bold", "https://example.test/a")]),
        ('<a href="tg:user?id=77"><b>a</b></a>', [("text_mention", "a"), ("bold", "a")]),
        ("<code>@mina_park</code> x", [("code", "@mina_park")]),
        ("<i> </i>x", []),
    ],
)
def test_what_may_lie_over_what(source: str, parts: list[tuple[str, str]]) -> None:
    assert marked(source, "HTML")[1] == parts


def test_a_mention_by_id_is_of_somebody_the_bot_knows(box: TelegramBox, mina: JSON) -> None:
    stranger = box.person("Sam")
    member = box.person("Jonas")
    box.group(creator=member, bots=["switchboard_demo_bot"])
    for mode, form in (
        ("HTML", '<a href="tg://user?id={}">you</a>'),
        ("MarkdownV2", "[you](tg://user?id={})"),
        ("Markdown", "[you](tg://user?id={})"),
    ):
        for person, entities in (
            (mina, [{"type": "text_mention", "offset": 0, "length": 3, "user": mina}]),
            (member, [{"type": "text_mention", "offset": 0, "length": 3, "user": member}]),
            (stranger, None),
        ):
            text = form.format(person["id"])
            sent = box.call("sendMessage", chat_id=mina["id"], text=text, parse_mode=mode)["result"]
            assert (sent["text"], sent.get("entities")) == ("you", entities), mode


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("\ta\r\nb\tc\t", "a\nb c"),
        ("a\u2028b\u202ec", "abc"),
        ("\u200f\u200f\u200ea", "\u200c\u200c\u200ea"),
        ("\x00a\x1fb", "a b"),
    ],
)
def test_what_is_cleaned_of_a_text(source: str, text: str) -> None:
    assert format_text(source, "", None)[0] == text


def test_entities_move_with_what_is_cleaned_and_trimmed() -> None:
    bold = {"type": "bold", "offset": 7, "length": 1}
    assert format_text(" \na\r\u2028😀b ", "", [bold]) == ("a😀b", [{**bold, "offset": 3}])
    whole = {"type": "bold", "offset": 0, "length": 6}
    assert format_text("  hi  ", "", [whole]) == ("  hi", [{**whole, "length": 4}])


@pytest.mark.parametrize("text", ["\u200b", "\u00a0", "\u3000", "\u2800", "\ufeff", "\U000e0020", " \u200b\n\u200f"])
def test_a_text_that_cannot_be_seen_is_none(box: TelegramBox, mina: JSON, text: str) -> None:
    empty = refusal(400, "Bad Request: text must be non-empty")
    assert box.call("sendMessage", chat_id=mina["id"], text=text) == empty
    sent = box.call("sendMessage", chat_id=mina["id"], text="x")["result"]
    where = {"chat_id": mina["id"], "message_id": sent["message_id"]}
    assert box.call("editMessageText", text=text, **where) == empty
    assert is_visible(text + "x")


# ---- explicit entities


def sent_with(box: TelegramBox, person: JSON, text: str, *entities: Any) -> JSON:
    return box.call("sendMessage", chat_id=person["id"], text=text, entities=list(entities))


def test_explicit_entities_are_kept(box: TelegramBox, mina: JSON) -> None:
    for entity in (
        {"type": "bold", "offset": 1, "length": 2},
        {"type": "pre", "offset": 0, "length": 3, "language": "go"},
        {"type": "custom_emoji", "offset": 1, "length": 2, "custom_emoji_id": "5"},
        {"type": "expandable_blockquote", "offset": 0, "length": 4},
        {"type": "date_time", "offset": 0, "length": 1, "unix_time": MOMENT, "date_time_format": "T"},
    ):
        assert sent_with(box, mina, "a😀b", entity)["result"]["entities"] == [entity]
    assert sent_with(box, mina, "😀", {"type": "bold", "offset": 0, "length": 0})["result"].get("entities") is None
    mention = {"type": "text_mention", "offset": 0, "length": 1, "user": {"id": mina["id"]}}
    assert sent_with(box, mina, "a", mention)["result"]["entities"] == [{**mention, "user": mina}]
    link = {"type": "text_link", "offset": 0, "length": 1, "url": f"tg://user?id={mina['id']}"}
    assert sent_with(box, mina, "a", link)["result"]["entities"] == [{**mention, "user": mina}]
    last = {"type": "date_time", "offset": 0, "length": 1, "unix_time": MOMENT, "date_time_format": "tT"}
    assert sent_with(box, mina, "a", last)["result"]["entities"][0]["date_time_format"] == "T"


@pytest.mark.parametrize("kind", ["mention", "url", "bot_command", "hashtag", "email", "phone_number", "cashtag"])
def test_what_telegram_finds_by_itself_is_passed_over(box: TelegramBox, mina: JSON, kind: str) -> None:
    assert "entities" not in sent_with(box, mina, "hello", {"type": kind, "offset": 0, "length": 5})["result"]


def test_a_parse_mode_comes_before_explicit_entities(box: TelegramBox, mina: JSON) -> None:
    bold = {"type": "bold", "offset": 0, "length": 1}
    sent = box.call("sendMessage", chat_id=mina["id"], text="<i>a</i>", parse_mode="HTML", entities=[bold])
    assert [entity["type"] for entity in sent["result"]["entities"]] == ["italic"]


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        ({"type": "loud", "offset": 0, "length": 1}, "can't parse MessageEntity: Unsupported type specified"),
        ({"type": "", "offset": 0, "length": 1}, "can't parse MessageEntity: Type is not specified"),
        ({"offset": 0, "length": 1}, "can't parse MessageEntity: Can't find field \"type\""),
        ({"type": "bold"}, "can't parse MessageEntity: Can't find field \"offset\""),
        ("bold", "can't parse MessageEntity: expected an Object"),
        ({"type": "text_link", "offset": 0, "length": 1}, "can't parse MessageEntity: Can't find field \"url\""),
        ({"type": "date_time", "offset": 0, "length": 1, "unix_time": 0}, "invalid date specified"),
        (
            {"type": "date_time", "offset": 0, "length": 1, "unix_time": 5, "date_time_format": "x"},
            "can't parse MessageEntity: Invalid date-time format specified",
        ),
        ({"type": "custom_emoji", "offset": 0, "length": 1, "custom_emoji_id": "x"}, "invalid custom emoji identifier"),
        ({"type": "bold", "offset": -1, "length": 1}, "receive an entity with incorrect offset -1"),
        ({"type": "bold", "offset": 0, "length": -1}, "receive an entity with incorrect length -1"),
        ({"type": "bold", "offset": 1, "length": 9}, "entity beginning at UTF-16 offset 1 ends after the end of"),
        ({"type": "bold", "offset": 2, "length": 1}, "entity begins in a middle of a UTF-16 symbol"),
        ({"type": "bold", "offset": 0, "length": 2}, "entity beginning at UTF-16 offset 0 ends in a middle of"),
    ],
)
def test_explicit_entities_that_are_refused(box: TelegramBox, mina: JSON, entity: Any, words: str) -> None:
    answer = sent_with(box, mina, "a😀b", entity)
    assert answer["error_code"] == 400
    assert answer["description"].startswith(f"Bad Request: {words}")


def test_entities_that_would_cross_are_divided() -> None:
    bold, italic = {"type": "bold", "offset": 0, "length": 4}, {"type": "italic", "offset": 2, "length": 4}
    _, entities = format_text("abcdef", "", [bold, italic])
    assert shown("abcdef", entities) == [("bold", "abcd"), ("italic", "cd"), ("italic", "ef")]
