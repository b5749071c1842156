"""The log: what was accepted and what was refused, also where the client never heard, also after a kill."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.simulator.wire import png
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

JSON = dict[str, Any]


def test_an_entry_in_full(box: TelegramBox, mina: JSON) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    sent = box.call(
        "sendMessage", chat_id=mina["id"], text="<b>Hello</b>", parse_mode="HTML", reply_markup=json.dumps(keyboard)
    )["result"]
    entry = box.log()[-1]
    assert entry.pop("at") > 1_600_000_000
    assert entry.pop("monotonic") > 0
    assert entry == {
        "seq": box.log_position(),
        "outcome": "accepted",
        "bot": 7000000001,
        "bot_username": "switchboard_demo_bot",
        "method": "sendMessage",
        "chat_id": mina["id"],
        "message_id": sent["message_id"],
        "text": "Hello",
        "reply_markup": keyboard,
        "params": {
            "chat_id": mina["id"],
            "text": "<b>Hello</b>",
            "parse_mode": "HTML",
            "reply_markup": json.dumps(keyboard),
        },
        "cost": 1,
    }


def test_a_refusal(box: TelegramBox) -> None:
    box.call("sendMessage", chat_id=12345, text="Hello")
    entry = box.log(outcome="rejected")[0]
    assert (entry["error_code"], entry["description"]) == (400, "Bad Request: chat not found")
    assert (entry["cost"], entry["message_id"], entry["chat_id"]) == (0, None, 12345)


def test_what_is_not_logged(box: TelegramBox) -> None:
    box.call("getUpdates")
    box.call("getMe", "7000000009:a-well-formed-token-of-nobody")
    assert box.log() == []


def test_uploads_appear_by_name_size_and_hash(box: TelegramBox, mina: JSON) -> None:
    content = png()
    box.call("sendPhoto", files={"photo": ("a.png", content)}, chat_id=mina["id"])
    shown = box.accepted("sendPhoto")[0]["params"]["photo"]
    digest = hashlib.sha256(content).hexdigest()
    assert shown == {"file_name": "a.png", "size": len(content), "sha256": digest}


def test_reading_on_and_filtering(box: TelegramBox, mina: JSON) -> None:
    for text in "abc":
        box.call("sendMessage", chat_id=mina["id"], text=text)
    box.call("sendMessage", chat_id=1, text="d")
    position = box.log_position()
    assert [entry["seq"] for entry in box.log()] == list(range(box.log()[0]["seq"], position + 1))
    assert [entry["text"] for entry in box.log(position - 2)] == ["c", "d"]
    assert [entry["text"] for entry in box.log(chat_id=mina["id"])] == ["a", "b", "c"]
    assert [entry["text"] for entry in box.log(outcome="rejected")] == ["d"]
    assert box.log(bot="other_demo_bot") == []
    page = box.control("GET", "/log", limit=2)
    assert [entry["text"] for entry in page["entries"]] == ["a", "b"]
    rest = box.control("GET", "/log", since=page["next"], limit=10)
    assert [entry["text"] for entry in rest["entries"]] == ["c", "d"]
    assert rest["next"] == position


def test_clearing_does_not_start_the_numbers_again(box: TelegramBox) -> None:
    box.call("getMe")
    position = box.log_position()
    box.control("DELETE", "/log")
    assert box.log() == []
    box.call("getMe")
    assert [entry["seq"] for entry in box.log()] == [position + 1]
    assert box.log(position) == box.log()


def test_the_file_survives_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text('{"seq":1,"outcome":"earlier"}\n')
    with TelegramBox("--rates", "strict", log_file=file) as box:
        mina = box.person("Mina")
        box.start(mina)
        box.rates("strict", per_chat=[1, 3600], chat_burst=3)
        answers = [box.call("sendMessage", chat_id=mina["id"], text=text) for text in "abcd"]
        box.process.kill()
        box.process.wait()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[0]["outcome"] == "earlier", "the file is appended to"
    assert [(line["seq"], line["text"], line["outcome"]) for line in lines[1:]] == [
        (1, "a", "accepted"),
        (2, "b", "accepted"),
        (3, "c", "accepted"),
        (4, "d", "rejected"),
    ]
    assert [line["message_id"] for line in lines[1:4]] == [answer["result"]["message_id"] for answer in answers[:3]]
    assert DEMO_TOKEN not in file.read_text()
