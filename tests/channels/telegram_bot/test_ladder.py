"""The ladder of milder forms: whatever Telegram refuses, the words arrive, and in few steps."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.channels import richtext
from backend.channels.base import Button, Content, Media, Operation
from backend.channels.errors import Rejected
from backend.channels.forms import AS_MEANT, Form, restated
from backend.channels.telegram_bot import TelegramBot, formatting, keyboards
from backend.channels.telegram_bot.errors import from_answer
from backend.channels.telegram_bot.operations import request_of

BOT = TelegramBot()
PHOTO = Media("photo", external_file_id="p")
STORED = Media("photo", storage_key="k", opener=lambda: io.BytesIO(b"png"), mime="image/png")
WORDS = 'Disk <b>full</b> on <a href="https://graphs.example.com/d/1">node 7</a>'
OPEN = Button("Open", url="https://a.example.com/")
ACK = Button("Acknowledge", data="alert:ack:1")
Judge = Callable[[Content], str | None]


def refusal(description: str) -> Rejected:
    found = from_answer(400, {"ok": False, "error_code": 400, "description": f"Bad Request: {description}"})
    assert isinstance(found, Rejected), found
    return found


def climb(content: Content, judge: Judge, *, kind: str = "send") -> tuple[list[Content], Form, int]:
    """What is accepted by a provider that refuses as `judge` says, the form reached, and how many refusals it took."""
    parts, accepted, form, refused = BOT.split(content), list[Content](), AS_MEANT, 0
    while len(accepted) < len(parts):
        place = len(accepted)
        part = parts[place]
        op = Operation(kind, chat_id="42", content=part, external_id="9", part=place, form=form)  # type: ignore[arg-type]
        request_of(op)
        description = judge(part)
        if description is None:
            accepted.append(part)
            continue
        refused += 1
        assert refused < 20, "the ladder ends"
        milder = BOT.milder(op, refusal(description))
        assert milder is not None, description
        form = milder
        parts = [*accepted, *restated(BOT, parts[place:], form, first=place)]
        assert len(parts) > place
    return accepted, form, refused


def words_of(parts: list[Content]) -> str:
    return "\n".join(richtext.visible(formatting.runs_of(part.text, part.format)) for part in parts)


def buttons_of(parts: list[Content]) -> list[Button]:
    return [button for part in parts for row in part.buttons for button in row]


def when(test: Callable[[Content], object], description: str) -> Judge:
    return lambda part: description if test(part) else None


def named(url: str, says: str = "Wrong HTTP URL") -> Judge:
    words = f"inline keyboard button URL '{url}' is invalid: {says}"
    return when(lambda part: any(b.url == url for row in part.buttons for b in row), words)


def has_url(part: Content) -> bool:
    return any(button.url for row in part.buttons for button in row)


def has_media(part: Content) -> bool:
    return bool(part.media)


def is_html(part: Content) -> bool:
    return part.format == "html"


def previews(part: Content) -> bool:
    return part.link_preview


def has_link(part: Content) -> bool:
    return part.format == "html" and "href=" in part.text


@pytest.mark.parametrize(
    ("content", "judge", "left_out", "steps"),
    [
        (Content(WORDS, "html", ((OPEN, ACK),)), named("https://a.example.com/"), ("address_buttons",), 1),
        (
            Content(WORDS, "html", ((OPEN,), (ACK,))),
            when(has_url, "BUTTON_URL_INVALID"),
            ("address_buttons",),
            1,
        ),
        (Content(WORDS, "html", ((OPEN, ACK),)), when(has_url, "reply markup is too long"), ("address_buttons",), 1),
        (Content(WORDS, "html", ((ACK,),)), when(lambda part: part.buttons, "BUTTON_TYPE_INVALID"), ("buttons",), 1),
        (Content(WORDS, "html"), when(has_link, "ENTITIES_TOO_LONG"), ("links",), 1),
        (Content(WORDS, "html"), when(is_html, "can't parse entities: x"), ("formatting",), 1),
        (Content("x" * 4000), when(lambda part: len(part.text) > 3000, "MESSAGE_TOO_LONG"), (), 1),
        (Content("x" * 4000), when(lambda part: len(part.text) > 600, "text is too long"), (), 3),
        (
            Content(WORDS, "html", ((OPEN, ACK),), (PHOTO,)),
            when(has_media, "not enough rights to send photos to the chat"),
            ("attachment",),
            1,
        ),
        (
            Content(WORDS, "html", media=(STORED,)),
            when(has_media, "CHAT_SEND_PHOTOS_FORBIDDEN"),
            ("attachment",),
            1,
        ),
        (
            Content(WORDS, "html", media=(STORED,)),
            when(lambda part: part.media and part.media[0].kind == "photo", "PHOTO_INVALID_DIMENSIONS"),
            ("attachment_as_document",),
            1,
        ),
        (
            Content(WORDS, "html", media=(STORED,)),
            when(has_media, "IMAGE_PROCESS_FAILED"),
            ("attachment",),
            2,
        ),
        (
            Content(WORDS, "html", media=(PHOTO,)),
            when(has_media, "wrong type of the web page content"),
            ("attachment",),
            1,
        ),
        (Content(WORDS, "html", media=(PHOTO,)), when(has_media, "MEDIA_EMPTY"), ("attachment",), 1),
        (
            Content(WORDS, "html", media=(PHOTO,)),
            when(has_media, "wrong file_id or the file is temporarily unavailable"),
            ("attachment",),
            1,
        ),
        (Content(WORDS, "html"), when(previews, "CHAT_SEND_WEBPAGE_FORBIDDEN"), ("link_preview",), 1),
        (
            Content(WORDS, "html", ((OPEN, ACK),), (PHOTO,)),
            when(lambda p: bool(p.media or p.buttons or p.format == "html"), "SOMETHING_THAT_NOBODY_KNOWS_YET"),
            ("attachment", "buttons", "links", "formatting"),
            5,
        ),
    ],
)  # fmt: skip
def test_what_is_refused_is_left_out_and_the_words_arrive(
    content: Content, judge: Judge, left_out: tuple[str, ...], steps: int
) -> None:
    accepted, form, refused = climb(content, judge)
    assert (form.left_out, refused) == (left_out, steps)
    plain = content.text if content.format == "plain" else "node 7"
    assert plain in words_of(accepted).replace("\n", "")
    if has_url(content):
        assert has_url(accepted[-1]) or "https://a.example.com/" in words_of(accepted)


def test_only_the_button_that_the_error_names_goes() -> None:
    other = Button("Graph", url="https://b.example.com/")
    accepted, _, _ = climb(Content(WORDS, "html", ((OPEN, other), (ACK,))), named("https://a.example.com/"))
    assert buttons_of(accepted) == [other, ACK]
    assert "Open: https://a.example.com/" in words_of(accepted)


def test_addresses_that_are_all_named_one_after_the_other_end_together() -> None:
    urls = [f"https://n{number}.example.com/" for number in range(20)]

    def judge(part: Content) -> str | None:
        first = next((button.url for row in part.buttons for button in row if button.url), None)
        return None if first is None else f"inline keyboard button URL '{first}' is invalid: Wrong HTTP URL"

    rows = tuple((Button("Open", url=url),) for url in urls)
    accepted, _, refused = climb(Content("x", "plain", (*rows, (ACK,))), judge)
    assert refused == 4
    assert buttons_of(accepted) == [ACK]
    assert all(url in words_of(accepted) for url in urls)


def test_a_picture_that_is_left_out_after_others_keeps_those() -> None:
    media = (*(PHOTO,) * 10, Media("document", external_file_id="d"))
    forbidden = when(lambda part: any(m.kind == "document" for m in part.media), "CHAT_SEND_DOCS_FORBIDDEN")
    accepted, form, _ = climb(Content("hello", media=media), forbidden)
    assert [len(part.media) for part in accepted] == [10, 0]
    assert accepted[1].text == "hello"
    # What is said later by an edit has the same parts: the album stays one, and the words a text.
    again = formatting.split(Content("hello again", media=media), form)
    assert [(len(part.media), part.text) for part in again] == [(10, ""), (0, "hello again")]


def test_a_picture_without_words_has_nothing_that_could_go_alone() -> None:
    op = Operation("send", chat_id="42", content=Content(media=(PHOTO,)))
    form = BOT.milder(op, refusal("not enough rights to send photos to the chat"))
    assert form is not None
    assert restated(BOT, [Content(media=(PHOTO,))], form) == []


def test_words_that_only_name_a_picture_do_not_go_without_it() -> None:
    part = Content("📎 Disk full", media=(PHOTO,), caption_only=True)
    op = Operation("send", chat_id="42", content=part)
    form = BOT.milder(op, refusal("not enough rights to send photos to the chat"))
    assert form is not None
    assert restated(BOT, [part], form) == []
    as_document = restated(BOT, [part], AS_MEANT)
    assert [(piece.text, len(piece.media)) for piece in as_document] == [("📎 Disk full", 1)]


def test_the_picture_of_a_long_text_falls_away_and_the_texts_move_up() -> None:
    content = Content("x" * 5000, "plain", ((ACK,),), (PHOTO,))
    accepted, _, _ = climb(content, when(has_media, "not enough rights to send photos to the chat"))
    assert [len(part.text) for part in accepted] == [4096, 904]
    assert buttons_of(accepted) == [ACK]


def test_an_edit_never_changes_what_kind_of_message_it_is() -> None:
    op = Operation("edit", chat_id="42", external_id="9", content=Content("x", media=(STORED,)))
    assert BOT.milder(op, refusal("PHOTO_INVALID_DIMENSIONS")) is None
    assert BOT.milder(op, refusal("not enough rights to send photos to the chat")) is None


@pytest.mark.parametrize(
    "description",
    ["message to edit not found", "message can't be edited", "MESSAGE_ID_INVALID", "message is not modified"],
)
def test_what_is_not_about_the_words_leaves_no_milder_form(description: str) -> None:
    op = Operation("edit", chat_id="42", external_id="9", content=Content(WORDS, "html", ((OPEN,),)))
    assert BOT.milder(op, refusal(description)) is None


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("http://vm-1:9999/", False),
        ("http://localhost:9093", False),
        ("https://LOCALHOST/", False),
        ("http://4f1c7a9be2d0:9093/#/alerts?receiver=team", False),
        ("http://user:secret@db/", False),
        ("http://vm-1./", False),
        ("javascript:alert(1)", False),
        ("https://example.com", True),
        ("http://10.0.0.7:3000/d/1", True),
        ("http://[2001:db8::1]:9093/", True),
        ("https://예시.한국/", True),
    ],
)
def test_addresses_that_telegram_does_not_take_stand_in_the_text_from_the_beginning(url: str, taken: bool) -> None:
    (part,) = formatting.split(Content("x", "plain", ((Button("Open", url=url), ACK),)))
    assert [button.text for button in buttons_of([part])] == (["Open", "Acknowledge"] if taken else ["Acknowledge"])
    assert part.text == ("x" if taken else f"x\n\nOpen: {url}")
    assert formatting.split(part) == [part]


def test_a_keyboard_that_is_too_long_loses_its_longest_addresses_to_the_text() -> None:
    long = [Button(f"Runbook {n}", url=f"https://wiki.example.com/{'p' * 1950}{n}") for n in range(6)]
    parts = formatting.split(Content(WORDS, "html", ((OPEN,), *((one,) for one in long), (ACK,))))
    kept = buttons_of(parts)
    assert {OPEN, ACK} <= set(kept)
    assert all(len(json.dumps(keyboards.build_keyboard(part.buttons))) <= 10_000 for part in parts)
    together = "".join(part.text for part in parts)
    assert all(button in kept or str(button.url) in together for button in long)


def test_a_button_that_is_none_goes_and_the_others_stay() -> None:
    rows = (
        (Button(" ", data="a"), ACK),
        (Button("Long", data="가" * 22),),
        (Button("", url="https://e.example.com/"),),
    )
    (part,) = formatting.split(Content("x", "html", rows))
    assert buttons_of([part]) == [ACK]
    assert part.text == "x\n\nhttps://e.example.com/"


def test_a_form_survives_its_row() -> None:
    form = Form(("https://a.example.com/",), True, True, 2, True, True, 1, True, True)
    assert Form.from_json(json.loads(json.dumps(form.to_json()))) == form
    assert Form.from_json(form.to_json() | {"of_a_later_version": 1}) == form
    assert AS_MEANT.to_json() == {}
    assert Form.from_json(None) == AS_MEANT


_DECORATED = st.builds(
    Content,
    text=st.text(max_size=60).map(lambda words: f"begin {words} end"),
    format=st.sampled_from(["html", "plain"]),
    buttons=st.lists(st.sampled_from([OPEN, ACK, Button("Graph", url="http://vm-1/")]), max_size=4).map(
        lambda row: (tuple(row),) if row else ()
    ),
    media=st.sampled_from([(), (PHOTO,), (STORED,), (PHOTO, PHOTO)]),
)
_REFUSALS = (
    "can't parse entities: x",
    "ENTITIES_TOO_LONG",
    "BUTTON_URL_INVALID",
    "reply markup is too long",
    "CHAT_SEND_PHOTOS_FORBIDDEN",
    "PHOTO_INVALID_DIMENSIONS",
    "message is too long",
    "NEW_REFUSAL",
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(_DECORATED, st.lists(st.sampled_from(_REFUSALS), min_size=1, max_size=3))
def test_a_provider_that_takes_only_plain_words_gets_them_in_the_end(content: Content, says: list[str]) -> None:
    count = 0

    def judge(part: Content) -> str | None:
        nonlocal count
        if part.media or part.buttons or (part.format == "html" and "<" in part.text):
            count += 1
            return says[count % len(says)] if count % 4 else "NEW_REFUSAL"
        return None

    parts = words_of(climb(content, judge)[0]).split()
    assert parts[0] == "begin"
    assert "end" in parts
