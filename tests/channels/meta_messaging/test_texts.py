"""Texts in pieces: by characters for Messenger, by bytes for Instagram, and never inside a character."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.channels.base import Button, Content, Media
from backend.channels.capabilities import Length
from backend.channels.forms import Form
from backend.channels.instagram.spec import TEXT as BYTES
from backend.channels.messenger.spec import TEXT as CHARACTERS
from backend.channels.meta_messaging.texts import pieces_of, split
from backend.core.graphemes import clusters

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def test_instagram_counts_bytes():
    korean = "가" * 333
    assert pieces_of(korean, BYTES) == [korean]
    assert pieces_of(korean + "나", BYTES) == [korean, "나"]
    assert pieces_of("a" * 1000, BYTES) == ["a" * 1000]


def test_messenger_counts_characters():
    assert pieces_of("가" * 2000, CHARACTERS) == ["가" * 2000]
    assert [len(piece) for piece in pieces_of("가" * 2001, CHARACTERS)] == [2000, 1]


def test_a_character_of_several_code_points_stays_whole():
    pieces = pieces_of(FAMILY * 200, BYTES)
    assert len(pieces) > 3
    assert all(BYTES.fits(piece) and set(clusters(piece)) == {FAMILY} for piece in pieces)


@given(st.text(st.sampled_from("ab \n가é\u0301\U0001f468\u200d\U0001f469🇰🇷"), max_size=400), st.integers(64, 120))
@settings(deadline=None, derandomize=True, database=None)
def test_nothing_is_lost_and_everything_fits(text: str, most: int):
    length = Length(most, "bytes")
    pieces = pieces_of(text, length)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(length.fits(piece) and piece.strip() for piece in pieces)
    assert [pieces_of(piece, length) for piece in pieces] == [[piece] for piece in pieces]


def test_cuts_come_where_a_reader_expects_them():
    first, second = "a" * 1200, "b" * 1200
    assert pieces_of(f"{first}\n\n{second}", CHARACTERS) == [first, second]
    assert pieces_of(f"{first} {second}", CHARACTERS) == [first, second]


def test_files_go_alone_and_buttons_last():
    picture = Media("photo", storage_key="a")
    buttons = ((Button("No", data="no"),),)
    parts = split(Content("words", media=(picture, picture), buttons=buttons), CHARACTERS)
    assert [(len(part.media), part.text, bool(part.buttons)) for part in parts] == [
        (1, "", False),
        (1, "", False),
        (0, "words", True),
    ]
    assert split(Content("words", media=(picture,)), CHARACTERS, Form(media_kept=0)) == [Content("words")]


def test_addresses_of_buttons_find_room():
    site = ((Button("Site", url="https://example.com/"),),)
    parts = split(Content("b" * 2000, buttons=site), CHARACTERS)
    assert len(parts) == 2
    assert len(parts[-1].text) <= 2000 - len("Site: https://example.com/")
    assert [split(part, CHARACTERS) for part in parts] == [[part] for part in parts]


def test_markup_becomes_words():
    assert split(Content("<b>a</b> &amp; b", "html"), CHARACTERS) == [Content("a & b")]
