"""How a message becomes Bot API messages."""

from __future__ import annotations

import pytest

from backend.channels import richtext
from backend.channels.base import Button, Content, Media, MediaKind
from backend.channels.telegram_bot import formatting
from backend.channels.telegram_bot.formatting import split, split_html

PHOTO = Media("photo", external_file_id="p")
DOCUMENT = Media("document", external_file_id="d")
BUTTONS = ((Button("Mute", data="m"),),)


def units(markup: str) -> int:
    return richtext.utf16_length(richtext.visible(richtext.read(markup)))


def test_the_limit_counts_what_is_seen_and_not_the_markup() -> None:
    text = f'<a href="https://example.com/{"x" * 200}">{"<b>&amp;</b>" + "a" * 4095}</a>'
    assert len(split_html(text)) == 1
    assert [units(part) for part in split_html(text + "b")] == [4096, 1]


def test_the_limit_counts_utf16_units() -> None:
    assert [units(part) for part in split_html("😀" * 2049)] == [4096, 2]


def test_tags_are_closed_and_opened_again() -> None:
    parts = split_html(f"<b>{'x' * 5000}</b> and <i>more</i>")
    assert parts[0] == f"<b>{'x' * 4096}</b>"
    assert parts[1] == f"<b>{'x' * 904}</b> and <i>more</i>"


def test_a_part_has_at_most_a_hundred_entities() -> None:
    parts = split_html("".join(f"<b>bold {number}</b> plain\n" for number in range(250)))
    assert len(parts) > 2
    assert all(richtext.count_tags(richtext.read(part)) <= 100 for part in parts)
    assert "".join("".join(richtext.visible(richtext.read(part)) for part in parts).split()) == "".join(
        "".join(f"bold {number} plain" for number in range(250)).split()
    )


def test_a_part_has_at_most_32768_bytes() -> None:
    link = f'<a href="https://example.com/{"x" * 1900}">go</a>\n'
    parts = split_html(link * 60)
    assert all(len(part.encode()) <= 32_768 for part in parts)
    assert sum(part.count("<a ") for part in parts) == 60


@pytest.mark.parametrize("text", ["", "  \n\t ", "<b> </b>", "<i></i>"])
def test_blank_text_has_no_parts(text: str) -> None:
    assert split_html(text) == []


def test_plain_text_with_markup_in_it_stays_as_it_is() -> None:
    assert split(Content("<b>5 < 6 & 7</b>", "plain")) == [Content("<b>5 < 6 & 7</b>", "plain")]


def test_a_short_caption_stays_with_its_photo() -> None:
    content = Content("<b>hi</b>", "html", BUTTONS, (PHOTO,), silent=True)
    assert split(content) == [content]


def test_a_long_caption_becomes_a_photo_and_texts() -> None:
    photo, text = split(Content("x" * 1025, "plain", BUTTONS, (PHOTO,)))
    assert photo == Content(media=(PHOTO,))
    assert text == Content("x" * 1025, "plain", BUTTONS)


def test_an_albums_caption_stays_with_it_unless_buttons_need_a_message() -> None:
    album = (PHOTO, PHOTO)
    assert split(Content("hi", media=album)) == [Content("hi", media=album)]
    assert split(Content("hi", "plain", BUTTONS, album)) == [Content(media=album), Content("hi", "plain", BUTTONS)]


def test_buttons_without_words_go_with_an_albums_last_picture() -> None:
    parts = split(Content("", "plain", BUTTONS, (PHOTO,) * 3))
    assert [len(part.media) for part in parts] == [2, 1]
    assert [part.buttons for part in parts] == [(), BUTTONS]


def test_albums_hold_ten_of_one_kind() -> None:
    parts = split(Content("hi", "plain", media=(PHOTO,) * 11 + (DOCUMENT,) * 2))
    assert [[item.kind for item in part.media] for part in parts] == [
        ["photo"] * 10,
        ["photo"],
        ["document"] * 2,
    ]
    assert [part.text for part in parts] == ["", "", "hi"]


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (Media("photo", storage_key="k", mime="image/jpeg", size=10 * 1024 * 1024), "photo"),
        (Media("photo", storage_key="k", mime="image/jpeg", size=10 * 1024 * 1024 + 1), "document"),
        (Media("photo", storage_key="k", mime="image/tiff"), "document"),
        (Media("photo", storage_key="k", mime="image/PNG; q=1"), "photo"),
        (Media("photo", url="https://e.com/x.svg", mime="image/svg+xml"), "document"),
        (Media("photo", external_file_id="f", mime="image/tiff"), "photo"),
        (Media("photo", storage_key="k"), "photo"),
    ],
)
def test_pictures_that_are_no_photos_go_as_documents(item: Media, kind: str) -> None:
    assert formatting.as_sendable(item).kind == kind


def test_a_part_has_at_most_so_many_bytes_of_addresses() -> None:
    """Twenty alerts whose addresses have 460 characters: Telegram refuses them in one message."""
    links = [f'<a href="https://e.com/{"x" * 446}">alert {number}</a>' for number in range(20)]
    parts = split_html("\n\n".join(links))
    assert len(parts) == 2
    assert [link in "".join(parts) for link in links] == [True] * 20
    assert all(formatting.entity_bytes(richtext.read(part)) <= 9_000 for part in parts)


def test_a_caption_whose_addresses_are_too_long_together_follows_as_texts() -> None:
    text = "\n".join(f'<a href="https://e.com/{"y" * 1500}">n{number}</a>' for number in range(8))
    parts = split(Content(text, "html", media=(PHOTO,)))
    assert parts[0] == Content(format="html", media=(PHOTO,))
    assert len(parts) == 3


def test_voice_notes_go_alone_and_a_sticker_takes_no_caption() -> None:
    kinds: tuple[MediaKind, ...] = ("voice", "voice", "video", "video")
    media = tuple(Media(kind, external_file_id=str(number)) for number, kind in enumerate(kinds))
    parts = formatting.split(Content("words", media=media))
    assert [[item.kind for item in part.media] for part in parts] == [["voice"], ["voice"], ["video", "video"]]
    parts = formatting.split(Content("words", media=(Media("sticker", external_file_id="1"),)))
    assert [(len(part.media), part.text) for part in parts] == [(1, ""), (0, "words")]
