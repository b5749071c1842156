"""Operations as Bot API requests."""

from __future__ import annotations

import io
from typing import Any

import pytest

from backend.channels.base import Button, Content, Media, MediaKind, Operation, Template
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.channels.telegram_bot.keyboards import build_keyboard
from backend.channels.telegram_bot.operations import Request, receipt_of, request_of

KEYBOARD = {"inline_keyboard": [[{"text": "Mute", "callback_data": "m"}]]}
BUTTONS = ((Button("Mute", data="m"),),)


def send(content: Content, **more: Any) -> Request:
    return request_of(Operation("send", chat_id="42", content=content, **more))


def given(request: Request) -> dict[str, Any]:
    return {name: value for name, value in request.params.items() if value is not None}


def test_a_plain_text_leaves_the_parse_mode_out() -> None:
    request = send(Content("a < b", "plain"))
    assert request.method == "sendMessage"
    assert given(request) == {"chat_id": 42, "text": "a < b"}
    assert "parse_mode" not in request.params


def test_html_is_cleaned_on_its_way_out() -> None:
    assert given(send(Content("<b>x & <script>", "html"))) == {
        "chat_id": 42,
        "text": "<b>x &amp; &lt;script&gt;</b>",
        "parse_mode": "HTML",
    }


def test_everything_around_a_text() -> None:
    content = Content("x", "plain", BUTTONS, silent=True, link_preview=False)
    assert given(send(content, thread_id="7", reply_to="5")) == {
        "chat_id": 42,
        "text": "x",
        "message_thread_id": 7,
        "reply_parameters": {"message_id": 5, "allow_sending_without_reply": True},
        "disable_notification": True,
        "link_preview_options": {"is_disabled": True},
        "reply_markup": KEYBOARD,
    }


def test_the_general_topic_is_not_named() -> None:
    assert "message_thread_id" not in given(send(Content("x"), thread_id="1"))


@pytest.mark.parametrize(
    ("chat_id", "sent"), [("-1007000000003", -1007000000003), ("0", 0), ("@news_channel", "@news_channel")]
)
def test_chat_ids(chat_id: str, sent: int | str) -> None:
    assert request_of(Operation("chat_action", chat_id=chat_id)).params["chat_id"] == sent


@pytest.mark.parametrize("chat_id", [None, "", "12 ", "abc", "@", "1e5", "--1", "１２", "@a/b", "9" * 30])
def test_malformed_chat_ids_are_rejected(chat_id: str | None) -> None:
    with pytest.raises(Rejected) as caught:
        request_of(Operation("delete", chat_id=chat_id, external_id="1"))
    assert caught.value.code == "chat_id_malformed"


@pytest.mark.parametrize("external_id", [None, "", "x", "-1", "1.5"])
def test_malformed_message_ids_are_rejected(external_id: str | None) -> None:
    with pytest.raises(Rejected) as caught:
        request_of(Operation("delete", chat_id="1", external_id=external_id))
    assert caught.value.code == "message_id_malformed"


@pytest.mark.parametrize(
    ("kind", "method", "caption"),
    [
        ("video", "sendVideo", {"caption": "x"}),
        ("audio", "sendAudio", {"caption": "x"}),
        ("voice", "sendVoice", {"caption": "x"}),
        ("sticker", "sendSticker", {}),
    ],
)
def test_each_kind_of_media_has_its_method(kind: MediaKind, method: str, caption: dict[str, str]) -> None:
    request = send(Content("x", media=(Media(kind, external_file_id="file-1"),)))
    assert (request.method, given(request)) == (method, {"chat_id": 42, kind: "file-1"} | caption)


def test_a_template_is_refused() -> None:
    with pytest.raises(Rejected) as refusal:
        send(Content("x", template=Template("welcome", "en")))
    assert refusal.value.code == "template_unsupported"


def test_a_photo_by_id_address_and_file() -> None:
    by_id = send(Content("<i>c</i>", "html", BUTTONS, (Media("photo", external_file_id="F"),)))
    assert by_id.method == "sendPhoto"
    assert given(by_id) == {
        "chat_id": 42,
        "photo": "F",
        "caption": "<i>c</i>",
        "parse_mode": "HTML",
        "reply_markup": KEYBOARD,
    }
    by_address = send(Content(media=(Media("document", url="https://e.com/a.pdf"),)))
    assert by_address.method == "sendDocument"
    assert given(by_address) == {"chat_id": 42, "document": "https://e.com/a.pdf"}
    file = Media("photo", storage_key="k", opener=io.BytesIO, filename="a.png", mime="image/png")
    by_file = send(Content(media=(file,)))
    assert given(by_file) == {"chat_id": 42}
    assert [(one.name, one.filename, one.mime) for one in by_file.uploads] == [("photo", "a.png", "image/png")]


def test_an_album_has_its_caption_on_the_first() -> None:
    media = (
        Media("photo", external_file_id="F"),
        Media("photo", storage_key="k", opener=io.BytesIO, filename="b.png", mime="image/png"),
    )
    request = send(Content("c", "plain", media=media))
    assert request.method == "sendMediaGroup"
    assert given(request)["media"] == [
        {"type": "photo", "media": "F", "caption": "c"},
        {"type": "photo", "media": "attach://file1"},
    ]
    assert [one.name for one in request.uploads] == ["file1"]


def test_edits() -> None:
    target = {"chat_id": 42, "message_id": 9}
    edit = Operation("edit", chat_id="42", external_id="9", content=Content("x", "plain", BUTTONS))
    assert request_of(edit).method == "editMessageText"
    assert given(request_of(edit)) == target | {"text": "x", "reply_markup": KEYBOARD}
    caption = Content("x", "plain", media=(Media("photo", storage_key="k"),))
    request = request_of(Operation("edit", chat_id="42", external_id="9", content=caption))
    assert request.method == "editMessageCaption"
    assert given(request) == target | {"caption": "x"}
    buttons = request_of(Operation("edit_buttons", chat_id="42", external_id="9", content=Content(buttons=BUTTONS)))
    assert buttons.method == "editMessageReplyMarkup"
    assert given(buttons) == target | {"reply_markup": KEYBOARD}
    assert given(request_of(Operation("edit_buttons", chat_id="42", external_id="9"))) == target


def test_what_makes_no_message() -> None:
    answered = request_of(Operation("answer_callback", external_id="cb", text="é" * 300, show_alert=True))
    assert answered.method == "answerCallbackQuery"
    assert given(answered) == {"callback_query_id": "cb", "text": "é" * 199 + "…", "show_alert": True}
    assert given(request_of(Operation("answer_callback", external_id="cb"))) == {"callback_query_id": "cb"}
    action = request_of(Operation("chat_action", chat_id="1", thread_id="4", text="upload_photo"))
    assert given(action) == {"chat_id": 1, "action": "upload_photo", "message_thread_id": 4}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "text_empty"),
        (Content(), "text_empty"),
        (Content("<b> </b>", "html"), "text_empty"),
        (Content("x", buttons=((Button("b", data="x" * 65),),)), "buttons_refused"),
        (Content("x", buttons=((Button("b", url="javascript:x"),),)), "button_address_refused"),
        (Content(buttons=BUTTONS, media=(Media("photo", external_file_id="F"),) * 2), "buttons_refused"),
        (Content(media=(Media("photo", storage_key="k"),)), "file_missing"),
    ],
)
def test_what_cannot_be_expressed_is_rejected(content: Content | None, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        request_of(Operation("send", chat_id="42", content=content))
    assert caught.value.code == code


def test_an_answer_needs_its_callback() -> None:
    with pytest.raises(Rejected) as caught:
        request_of(Operation("answer_callback", text="x"))
    assert caught.value.code == "callback_id_missing"


def test_keyboards() -> None:
    assert build_keyboard(()) is None
    assert build_keyboard(((), ())) is None
    rows = ((Button("a", data="1"), Button("b", url="https://e.com")), (), (Button("c", data="가" * 21),))
    assert build_keyboard(rows) == {
        "inline_keyboard": [
            [{"text": "a", "callback_data": "1"}, {"text": "b", "url": "https://e.com"}],
            [{"text": "c", "callback_data": "가" * 21}],
        ]
    }


@pytest.mark.parametrize(
    "button",
    [
        Button("x", data=""),
        Button("x", data="x" * 65),
        Button("x", data="가" * 22),
        Button(" ", data="x"),
        Button("x", url="tg://user?id=1"),
        Button("x", url="/path"),
    ],
)
def test_buttons_that_do_not_fit(button: Button) -> None:
    with pytest.raises(ValueError, match="button"):
        build_keyboard(((button,),))


def test_receipts() -> None:
    sent = Operation("send", chat_id="42", content=Content("x"))
    sizes = [{"file_id": "small"}, {"file_id": "large"}]
    result = {"message_id": 5, "date": 1700000000, "photo": sizes}
    assert receipt_of(sent, result).external_ids == ("5",)
    assert receipt_of(sent, result).facts == {"sent_at": 1700000000, "file_ids": ["large"]}
    album = [{"message_id": 5, "document": {"file_id": "a"}}, {"message_id": 6, "document": {"file_id": "b"}}]
    assert receipt_of(sent, album).external_ids == ("5", "6")
    assert receipt_of(sent, album).facts == {"file_ids": ["a", "b"]}
    assert receipt_of(Operation("edit", chat_id="1", external_id="9"), True).external_ids == ("9",)
    assert receipt_of(Operation("delete", chat_id="1", external_id="9"), True).external_ids == ()


@pytest.mark.parametrize("result", [True, None, [], {}, {"message_id": "x"}, [{"message_id": 1}, {}], "x"])
def test_a_sent_message_without_an_id_is_unknown(result: object) -> None:
    with pytest.raises(OutcomeUnknown):
        receipt_of(Operation("send", chat_id="42", content=Content("x")), result)
