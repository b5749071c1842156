"""Bots that forward and copy messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.wire import png, refusal
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
BOT = "switchboard_demo_bot"
BOLD = [{"type": "bold", "offset": 0, "length": 1}]


@pytest.fixture
def group(box: TelegramBox, mina: JSON) -> JSON:
    """Where the copies go."""
    return box.group("Launch", type="supergroup", creator=mina, bots=[BOT])


def again(box: TelegramBox, method: str, group: JSON, source: JSON, message: Any, **more: Any) -> JSON:
    which = {"message_ids": message} if isinstance(message, list) else {"message_id": message}
    return box.call(method, chat_id=group["id"], from_chat_id=source["id"], **which, **more)


def test_a_forwarded_message_names_its_origin(box: TelegramBox, mina: JSON, group: JSON) -> None:
    said = box.say(mina, "Hello @mina_park")
    sent = again(box, "forwardMessage", group, mina, said["message_id"])["result"]
    assert (sent["text"], sent["entities"]) == (said["text"], said["entities"])
    assert sent["forward_origin"] == {"type": "user", "date": said["date"], "sender_user": mina}
    twice = again(box, "forwardMessage", mina, group, sent["message_id"])["result"]
    assert twice["forward_origin"] == sent["forward_origin"], "the origin stays the first"
    picture = box.send_photo(mina, png(), caption="Look")
    assert again(box, "forwardMessage", group, mina, picture["message_id"])["result"]["photo"] == picture["photo"]


def test_a_copied_message_is_the_bots_own(box: TelegramBox, mina: JSON, group: JSON) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    said = box.say(mina, "Hello")
    assert list(again(box, "copyMessage", group, mina, said["message_id"])["result"]) == ["message_id"]
    assert "forward_origin" not in box.last_message(group)
    assert box.last_message(group)["text"] == "Hello"
    picture = box.send_photo(mina, png(), caption="Look")
    changed = {"caption": "<b>S</b>ee", "parse_mode": "HTML", "reply_markup": keyboard}
    again(box, "copyMessage", group, mina, picture["message_id"], **changed)
    last = box.last_message(group)
    assert (last["caption"], last["caption_entities"], last["reply_markup"]) == ("See", BOLD, keyboard)
    again(box, "copyMessage", group, mina, picture["message_id"], caption="")
    assert "caption" not in box.last_message(group)
    too_long = again(box, "copyMessage", group, mina, picture["message_id"], caption="a" * 1025)
    assert too_long == refusal(400, "Bad Request: message caption is too long")


def test_several_at_once(box: TelegramBox, mina: JSON, group: JSON) -> None:
    first = box.say(mina, "a")["message_id"]
    picture = box.send_photo(mina, png(), caption="b")["message_id"]
    for method in ("forwardMessages", "copyMessages"):
        sent = again(box, method, group, mina, [first, picture, 999])["result"]
        assert [message["message_id"] for message in box.transcript(group)[-2:]] == [one["message_id"] for one in sent]
    again(box, "copyMessages", group, mina, [first, picture], remove_caption=True)
    assert "caption" not in box.last_message(group)
    for ids, words in (
        ([], "message identifiers are not specified"),
        ([picture, first], "message identifiers must be in a strictly increasing order"),
        ([998, 999], "there are no messages to copy"),
    ):
        assert again(box, "copyMessages", group, mina, ids) == refusal(400, f"Bad Request: {words}")


def test_what_cannot_go(box: TelegramBox, mina: JSON, group: JSON) -> None:
    kept = box.call("sendMessage", chat_id=mina["id"], text="Ours", protect_content=True)["result"]["message_id"]
    service = box.transcript(group)[0]["message_id"]
    for method, words in (("forwardMessage", "forwarded"), ("copyMessage", "copied")):
        assert again(box, method, group, mina, kept) == refusal(400, f"Bad Request: message can't be {words}")
        assert again(box, method, mina, group, service) == refusal(400, f"Bad Request: message can't be {words}")
    assert again(box, "copyMessage", group, mina, 999) == refusal(400, "Bad Request: message to copy not found")
    gone = refusal(400, "Bad Request: message to forward not found")
    assert again(box, "forwardMessage", group, mina, 999) == gone
    assert again(box, "copyMessage", group, {"id": -1}, 1) == refusal(400, "Bad Request: chat not found")
    assert box.call("copyMessage", chat_id=group["id"]) == refusal(400, "Bad Request: chat_id is empty")


@pytest.mark.parametrize("method", ["forwardMessage", "copyMessage", "forwardMessages", "copyMessages"])
def test_they_are_counted(box: TelegramBox, mina: JSON, method: str) -> None:
    said = box.say(mina, "a")["message_id"]
    message = [said] if method.endswith("s") else said
    box.rates("strict", per_chat=[1, 60], chat_burst=1)
    assert again(box, method, mina, mina, message)["ok"]
    assert again(box, method, mina, mina, message)["error_code"] == 429
