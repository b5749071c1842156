"""How much fits: texts in characters after formatting, raw bytes, entities, buttons, answers, albums."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.wire import png, refusal
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
PAIR = "😀"  # two UTF-16 units, four bytes


def send(box: TelegramBox, person: JSON, text: str, **more: Any) -> JSON:
    return box.call("sendMessage", chat_id=person["id"], text=text, **more)


@pytest.mark.parametrize("text", ["a" * 4096, PAIR * 4096, "한" * 4096, "  " + "a" * 4096 + "\n"])
def test_a_text_of_4096_characters_fits(box: TelegramBox, mina: JSON, text: str) -> None:
    assert send(box, mina, text)["result"]["text"] == text.strip()


@pytest.mark.parametrize("text", ["a" * 4097, PAIR * 4096 + "a"])
def test_a_text_of_4097_characters_does_not(box: TelegramBox, mina: JSON, text: str) -> None:
    assert send(box, mina, text) == refusal(400, "Bad Request: message is too long")


def test_the_text_is_measured_after_formatting(box: TelegramBox, mina: JSON) -> None:
    answer = send(box, mina, "<b>" + "&amp;" * 4096 + "</b>", parse_mode="HTML")
    assert answer["result"]["text"] == "&" * 4096
    too_long = refusal(400, "Bad Request: message is too long")
    assert send(box, mina, "&amp;" * 4097, parse_mode="HTML") == too_long


@pytest.mark.parametrize("filler", ["a", "é", PAIR])
def test_32768_raw_bytes(box: TelegramBox, mina: JSON, filler: str) -> None:
    # An address without words leaves no entity, so that only the raw text is long.
    frame = '<a href="https://example.test/?{}"></a>x'
    room = 32_768 - len(frame) + 2
    size = len(filler.encode())
    fits = frame.format(filler * (room // size) + "a" * (room % size))
    assert len(fits.encode()) == 32_768
    assert send(box, mina, fits, parse_mode="HTML")["result"]["text"] == "x"
    assert send(box, mina, fits + ".", parse_mode="HTML") == refusal(400, "Bad Request: text is too long")


def test_an_edit_is_measured_too(box: TelegramBox, mina: JSON) -> None:
    where = {"chat_id": mina["id"], "message_id": send(box, mina, "Short")["result"]["message_id"]}
    assert box.call("editMessageText", text="a" * 4096, **where)["ok"]
    assert box.call("editMessageText", text="a" * 4097, **where) == refusal(400, "Bad Request: MESSAGE_TOO_LONG")


def test_a_caption_of_1024_characters(box: TelegramBox, mina: JSON) -> None:
    for caption in ("a" * 1024, PAIR * 1024, "👨\u200d👩" * 341 + "a"):
        answer = box.call("sendDocument", files={"document": b"x"}, chat_id=mina["id"], caption=caption)
        assert answer["result"]["caption"] == caption
        longer = box.call("sendDocument", files={"document": b"x"}, chat_id=mina["id"], caption=caption + "a")
        assert longer == refusal(400, "Bad Request: message caption is too long")
        where = {"chat_id": mina["id"], "message_id": answer["result"]["message_id"]}
        edited = box.call("editMessageCaption", caption=caption + "a", **where)
        assert edited == refusal(400, "Bad Request: MEDIA_CAPTION_TOO_LONG")


@pytest.mark.parametrize("text", ["", None])
def test_no_text(box: TelegramBox, mina: JSON, text: str | None) -> None:
    answer = box.call("sendMessage", chat_id=mina["id"], text=text)
    assert answer == refusal(400, "Bad Request: message text is empty")


@pytest.mark.parametrize(("text", "mode"), [(" \n\t ", None), ("<b> </b>", "HTML")])
def test_a_text_of_white_space(box: TelegramBox, mina: JSON, text: str, mode: str | None) -> None:
    answer = send(box, mina, text, parse_mode=mode)
    assert answer == refusal(400, "Bad Request: text must be non-empty")


def test_a_hundred_entities_are_kept(box: TelegramBox, mina: JSON) -> None:
    answer = send(box, mina, "<b>a</b> " * 120, parse_mode="HTML")["result"]
    assert len(answer["entities"]) == 100
    assert answer["entities"][-1]["offset"] == 198
    assert len(answer["text"]) == 239


def button(data: Any) -> JSON:
    return {"inline_keyboard": [[{"text": "Go", "callback_data": data}]]}


@pytest.mark.parametrize("data", ["a", "a" * 64, "한" * 21, PAIR * 16])
def test_callback_data_of_1_to_64_bytes(box: TelegramBox, mina: JSON, data: str) -> None:
    sent = send(box, mina, "Well?", reply_markup=button(data))["result"]
    assert sent["reply_markup"] == button(data)
    box.press(mina, sent)
    assert box.answers()[0]["data"] == data


@pytest.mark.parametrize("data", ["a" * 65, "한" * 22, PAIR * 16 + "a"])
def test_callback_data_beyond_64_bytes(box: TelegramBox, mina: JSON, data: str) -> None:
    answer = send(box, mina, "Well?", reply_markup=button(data))
    assert answer == refusal(400, "Bad Request: BUTTON_DATA_INVALID")


def test_a_button_that_does_nothing(box: TelegramBox, mina: JSON) -> None:
    words = "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
    assert send(box, mina, "Well?", reply_markup=button("")) == refusal(400, words)


def test_a_hundred_buttons(box: TelegramBox, mina: JSON) -> None:
    row = button("a")["inline_keyboard"][0]
    assert send(box, mina, "Well?", reply_markup={"inline_keyboard": [row] * 100})["ok"]
    answer = send(box, mina, "Well?", reply_markup={"inline_keyboard": [row] * 101})
    assert answer == refusal(400, "Bad Request: REPLY_MARKUP_TOO_LONG")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://example.test/a", "https://example.test/a"),
        ("example.com", "http://example.com/"),
        ("tg://resolve?domain=x", "tg://resolve?domain=x"),
    ],
)
def test_the_address_of_a_button(box: TelegramBox, mina: JSON, address: str, kept: str) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Go", "url": address}]]}
    sent = send(box, mina, "Look", reply_markup=json.dumps(keyboard))["result"]
    assert sent["reply_markup"]["inline_keyboard"][0][0]["url"] == kept


@pytest.mark.parametrize("address", ["ftp://example.test/", "http://localhost:8000/", "no address"])
def test_an_address_that_a_button_cannot_have(box: TelegramBox, mina: JSON, address: str) -> None:
    answer = send(box, mina, "Look", reply_markup={"inline_keyboard": [[{"text": "Go", "url": address}]]})
    assert answer["error_code"] == 400
    assert answer["description"].startswith(f"Bad Request: inline keyboard button URL '{address}' is invalid: ")


def test_the_answer_to_a_press_has_200_characters(box: TelegramBox, mina: JSON) -> None:
    sent = send(box, mina, "Well?", reply_markup=button("a"))["result"]
    pressed = box.press(mina, sent)
    for text in ("a" * 201, PAIR * 200 + "a"):
        answer = box.call("answerCallbackQuery", callback_query_id=pressed, text=text)
        assert answer == refusal(400, "Bad Request: MESSAGE_TOO_LONG")
    assert box.call("answerCallbackQuery", callback_query_id=pressed, text=PAIR * 200)["ok"]


def album(count: int, kind: str = "document") -> tuple[str, JSON]:
    content = png() if kind == "photo" else b"x"
    items = [{"type": kind, "media": f"attach://file{number}"} for number in range(count)]
    return json.dumps(items), {f"file{number}": ("file.png", content) for number in range(count)}


@pytest.mark.parametrize(("count", "kind"), [(2, "photo"), (10, "photo"), (2, "document"), (10, "document")])
def test_an_album_of_2_to_10(box: TelegramBox, mina: JSON, count: int, kind: str) -> None:
    media, files = album(count, kind)
    messages = box.call("sendMediaGroup", files=files, chat_id=mina["id"], media=media)["result"]
    assert len(messages) == count
    assert len({message["media_group_id"] for message in messages}) == 1
    entry = box.accepted("sendMediaGroup")[0]
    assert entry["cost"] == count
    assert entry["message_ids"] == [message["message_id"] for message in messages]


def test_albums_that_are_none(box: TelegramBox, mina: JSON) -> None:
    def send_album(media: str, files: JSON) -> JSON:
        return box.call("sendMediaGroup", files=files, chat_id=mina["id"], media=media)

    too_many = refusal(400, "Bad Request: too many messages to send as an album")
    assert send_album(*album(11)) == too_many
    assert send_album(*album(1)) == refusal(400, "Bad Request: media group needs 2-10 items")
    assert send_album("[]", {"a": b"x"}) == refusal(400, "Bad Request: there are no messages to send")
    mixed = json.dumps([{"type": "photo", "media": "attach://a"}, {"type": "document", "media": "attach://b"}])
    answer = send_album(mixed, {"a": png(), "b": b"x"})
    assert answer == refusal(400, "Bad Request: document can't be mixed with other media types")
    assert len(box.transcript(mina)) == 1, "nothing but what Mina wrote"


def links(count: int, size: int) -> str:
    return " ".join(f'<a href="https://e.test/{"q" * (size - 15)}">n</a>' for _ in range(count))


@pytest.mark.parametrize(
    ("count", "size", "fits"), [(19, 460, True), (20, 460, False), (4, 2000, True), (5, 2000, False)]
)
def test_the_addresses_of_links_together(box: TelegramBox, mina: JSON, count: int, size: int, fits: bool) -> None:
    answer = send(box, mina, links(count, size), parse_mode="HTML")
    assert answer["ok"] if fits else answer == refusal(400, "Bad Request: ENTITIES_TOO_LONG")


def test_the_links_of_a_caption_and_of_an_edit_are_measured_too(box: TelegramBox, mina: JSON) -> None:
    too_long = refusal(400, "Bad Request: ENTITIES_TOO_LONG")
    sent = send(box, mina, "Short")["result"]["message_id"]
    where = {"chat_id": mina["id"], "parse_mode": "HTML"}
    assert box.call("editMessageText", text=links(20, 460), message_id=sent, **where) == too_long
    assert box.call("sendDocument", files={"document": b"x"}, caption=links(20, 460), **where) == too_long


@pytest.mark.parametrize(
    ("count", "size", "fits"), [(4, 2000, True), (5, 2000, False), (40, 200, True), (45, 200, False)]
)
def test_a_keyboard_of_10000_bytes(box: TelegramBox, mina: JSON, count: int, size: int, fits: bool) -> None:
    rows = [[{"text": "Open", "url": f"https://e.test/{'q' * (size - 15)}"}] for _ in range(count)]
    answer = send(box, mina, "x", reply_markup={"inline_keyboard": rows})
    assert answer["ok"] if fits else answer == refusal(400, "Bad Request: reply markup is too long")


@pytest.mark.parametrize("kind", ["photo", "document"])
def test_a_chat_that_forbids_a_kind_takes_the_words(box: TelegramBox, mina: JSON, kind: str) -> None:
    bot = box.call("getMe")["result"]
    group = box.group(creator=mina, bots=[bot])
    box.member(group, bot, "member", forbidden=[kind])
    method = f"send{kind.title()}"
    refused = box.call(method, files={kind: png(8, 8)}, chat_id=group["id"], caption="words")
    assert refused == refusal(400, f"Bad Request: not enough rights to send {kind}s to the chat")
    assert box.call("sendMessage", chat_id=group["id"], text="words")["ok"]


def test_what_its_reader_deleted_cannot_be_edited(box: TelegramBox, mina: JSON) -> None:
    sent = send(box, mina, "Short")["result"]["message_id"]
    box.delete(mina, sent)
    answer = box.call("editMessageText", chat_id=mina["id"], message_id=sent, text="Longer")
    assert answer == refusal(400, "Bad Request: message to edit not found")
