"""Texts that nobody would see are no texts, wherever something is said."""

from __future__ import annotations

import html

import pytest

from backend.channels.base import Button, Content, Operation
from backend.channels.errors import Rejected
from backend.channels.telegram_bot import formatting, keyboards, operations
from backend.core import clock
from backend.core.errors import Invalid
from backend.services import host_api
from backend.services.notifications import custom_types, texts
from backend.services.texts import templates, values
from tests.channels.test_richtext_tags import BLANK

MARKED = ["<b>\u200b</b>", '<a href="https://example.com/">\u2060</a>', "&#8203;", "<i> </i>"]
BLANKS = [text for text in BLANK if "\x07" not in text]


@pytest.mark.parametrize("text", [*BLANKS, *MARKED], ids=ascii)
def test_an_alert_that_says_nothing_is_refused(room, text):
    with pytest.raises(Invalid) as refused:
        room.raise_("\u200b" if text else "", text)
    assert "title_missing" in str(refused.value.detail)


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\u2800\u2800", "\ufeff"], ids=ascii)
def test_an_invisible_title_is_the_first_line_that_says_something(room, blank):
    room.raise_(blank, f"{blank}\n\nDisk full\n84 %")
    assert room.alert().title == "Disk full"
    assert "84 %" in room.texts()[0]


@pytest.mark.parametrize("blank", ["\u200b", "<b>\u2060</b>", "\u3164\n\u3164"], ids=ascii)
def test_an_invisible_message_is_none(room, blank):
    room.raise_("Disk full", blank)
    assert room.items()[0].body == ""


@pytest.mark.parametrize("blank", ["\u200b", "\u2800", "\u00ad\u00ad"], ids=ascii)
def test_a_button_without_words_is_refused(room, blank):
    with pytest.raises(Invalid):
        room.raise_("Disk full", buttons=[{"text": blank, "url": "https://example.com/"}])
    with pytest.raises(ValueError, match="text"):
        keyboards.build_keyboard([[Button(blank, data="x")]])


@pytest.mark.parametrize("text", [*BLANKS, *MARKED], ids=ascii)
def test_the_channel_never_sends_an_empty_bubble(text):
    content = Content(text, format="html")
    with pytest.raises(Rejected, match="text_empty"):
        operations.request_of(Operation("send", chat_id="1", content=content))


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\u2060\u2060"], ids=ascii)
def test_an_invisible_part_between_others_is_left_out(blank):
    text = "a" * 4096 + "\n\n" + blank * 4096 + "\n\n" + "b" * 10
    parts = [part.text for part in formatting.split(Content(text))]
    assert "".join(parts).replace(blank, "") == "a" * 4096 + "b" * 10
    for part in parts:
        operations.request_of(Operation("send", chat_id="1", content=Content(part)))


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\ufeff \u200d"], ids=ascii)
def test_other_texts_that_are_sent(blank):
    assert values.line(blank, 100) is None
    assert [problem.code for problem in templates.problems(blank)] == ["template_empty"]
    assert [problem.code for problem in templates.problems(f"<b>{blank}</b>")] == ["template_empty"]
    assert templates.render("{name|nobody}", {"name": blank}) == "nobody"
    assert custom_types.render({"en": "{name}"}, "Order", {"name": blank}, "en") == "Order"
    assert "📝" not in texts.render("post_success", {"platform": "instagram", "content": blank}, clock.now(), "en").text


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\ufeff"], ids=ascii)
def test_python_is_told_that_there_is_nothing_to_say(room, blank):
    with pytest.raises(Invalid, match="text_empty"):
        host_api.send_message(blank, bot_name="alerts")


def test_a_template_may_hold_what_begins_like_a_link(room):
    assert templates.problems("usage: tar <a file> <b dir>") == []
    assert [problem.code for problem in templates.problems('<a href="ftp://example.com">x</a>')] == ["link_not_http"]
    assert "tar &lt;a file&gt;" in room_text(room, "usage: tar <a file> <b dir>")


def room_text(room, message: str) -> str:
    """What an alert with this message says."""
    room.raise_("Usage", message)
    return room.texts()[-1]


@pytest.mark.parametrize("message", ["usage: tar <a file> <b dir>", "if a <b && c> d", "set <s 1> to <i 2>"])
def test_what_begins_like_a_tag_arrives(room, message):
    assert message in html.unescape(room_text(room, message))
