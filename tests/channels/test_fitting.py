"""What a channel cannot carry never takes the words with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.channels import registry
from backend.channels.base import Button, Content, Media, Template
from backend.channels.capabilities import Capabilities, Length, Sizes
from backend.channels.fitting import Fitted
from backend.channels.forms import AS_MEANT, Form

TELEGRAM = registry.spec("telegram_bot")
WORDS_ONLY = replace(TELEGRAM, capabilities=Capabilities(), sizes=Sizes(Length(500)))
THREE_BUTTONS = replace(WORDS_ONLY, sizes=Sizes(Length(500), buttons=3))
PICTURES = replace(WORDS_ONLY, sizes=Sizes(Length(500), media_bytes={"photo": 1_000}))

PHOTO = Media("photo", storage_key="a")
VOICE = Media("voice", storage_key="b")
SITE = Button("Site", url="https://example.com/?a=1&b=2")
MUTE = Button("Mute", data="mute")
REMINDER = Template("reminder", "en")


@pytest.mark.parametrize(
    ("spec", "given", "expected", "left_out"),
    [
        (WORDS_ONLY, Content("hi"), Content("hi"), ()),
        (WORDS_ONLY, Content("hi", media=(PHOTO,)), Content("hi"), ("attachment",)),
        (PICTURES, Content("hi", media=(PHOTO, VOICE)), Content("hi", media=(PHOTO,)), ("attachment",)),
        (PICTURES, Content("x", media=(PHOTO,), caption_only=True), None, ()),
        (WORDS_ONLY, Content("hi", buttons=((MUTE,),)), Content("hi"), ("buttons",)),
        (
            WORDS_ONLY,
            Content("hi", buttons=((MUTE, SITE),)),
            Content("hi\n\nSite: https://example.com/?a=1&b=2"),
            ("buttons",),
        ),
        (THREE_BUTTONS, Content("hi", buttons=((SITE, MUTE), (MUTE,))), None, ()),
        (
            THREE_BUTTONS,
            Content("hi", buttons=((MUTE, MUTE), (MUTE, SITE))),
            Content("hi\n\nSite: https://example.com/?a=1&b=2", buttons=((MUTE, MUTE), (MUTE,))),
            ("buttons",),
        ),
        (
            WORDS_ONLY,
            Content('<b>hi</b> <a href="https://example.com">there</a> 1 &lt; 2', "html"),
            Content("hi there (https://example.com) 1 < 2"),
            ("formatting",),
        ),
        (WORDS_ONLY, Content("1 &lt; 2", "html"), Content("1 < 2"), ()),
        (WORDS_ONLY, Content("Dear Ann", template=REMINDER), Content("Dear Ann"), ("template",)),
        (
            replace(TELEGRAM, sizes=replace(TELEGRAM.sizes, buttons=0)),
            Content("<b>hi</b>", "html", buttons=((SITE,),)),
            Content("<b>hi</b>\n\nSite: https://example.com/?a=1&amp;b=2", "html"),
            ("buttons",),
        ),
        (TELEGRAM, Content("<b>hi</b>", "html", buttons=((SITE, MUTE),), media=(PHOTO, VOICE)), None, ()),
    ],
)
def test_what_is_left_out_by_what_the_channel_carries(spec, given, expected, left_out):
    fitted = Fitted.of(given, spec)
    assert fitted.content == (expected if expected is not None else given)
    assert (fitted.form.left_out, fitted.code) == (left_out, None)
    assert Fitted.of(fitted.content, spec, fitted.form) == fitted, "fitting twice changes nothing"
    assert Form.from_json(fitted.form.to_json()) == fitted.form


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (Content(media=(PHOTO,)), "media_unsupported"),
        (Content("a name", media=(VOICE,), caption_only=True), "media_unsupported"),
        (Content(template=REMINDER), "template_unsupported"),
    ],
)
def test_where_nothing_is_left_to_say_a_code_says_why(given, code):
    fitted = Fitted.of(given, WORDS_ONLY)
    assert (fitted.content, fitted.code) == (given, code)


def test_a_form_that_was_reached_already_stays():
    reached = replace(AS_MEANT, without_preview=True)
    assert Fitted.of(Content("hi", media=(PHOTO,)), WORDS_ONLY, reached).form.left_out == ("attachment", "link_preview")
