"""Answers of a webhook that are calls: in JSON, as a form, in multipart with files; and those that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.receiver import Receiver, Reply
from tests.simulator.wire import eventually, png
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
KEYBOARD = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=edge"}
BINARY = bytes(range(256)) + b"\r\n--other\r\n"


def settled(box: TelegramBox) -> JSON:
    """getWebhookInfo, once nothing waits."""
    found: JSON = eventually(
        lambda: box.call("getWebhookInfo")["result"], lambda info: info["pending_update_count"] == 0
    )
    return found


def parts(*fields: tuple[str, bytes, str]) -> bytes:
    """A multipart body of (name, content, file name) parts."""
    body = b""
    for name, content, file_name in fields:
        more = f'; filename="{file_name}"' if file_name else ""
        body += f'--edge\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"
    return body + b"--edge--\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "application/json"}, '{"method":"sendMessage","chat_id":%d,"text":"Answer"}'),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "method=SENDMESSAGE&chat_id=%d&text=Answer"),
    ],
)
def test_a_method_in_the_answer(box: TelegramBox, mina: JSON, receiver: Receiver, headers: JSON, body: str) -> None:
    receiver.decide = lambda posted: Reply(200, headers, (body % mina["id"]).encode())
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "Question")
    entries = eventually(lambda: box.accepted("sendMessage"), lambda found: bool(found))
    assert [(entry["text"], entry["via"]) for entry in entries] == [("Answer", "webhook")]
    assert [message["text"] for message in box.transcript(mina)][-2:] == ["Question", "Answer"]


@pytest.mark.parametrize(
    ("body", "entries"),
    [
        (b'{"method":"deleteWebhook"}', []),
        (b'{"method":"getMe"}', []),
        (b'{"ok":true}', []),
        (b"not JSON", []),
        (b'{"method":"sendMessage","chat_id":1,"text":"x"}', [("sendMessage", "Bad Request: chat not found")]),
        (
            b'{"method":"sendMessage","chat_id":"-9999999999999999999","text":"x","reply_parameters":{"message_id":"x"}}',
            [("sendMessage", "Bad Request: chat not found")],
        ),
    ],
)
def test_answers_that_are_no_calls_do_no_harm(
    box: TelegramBox, mina: JSON, receiver: Receiver, body: bytes, entries: list[tuple[str, str]]
) -> None:
    receiver.decide = lambda posted: Reply(200, {"Content-Type": "application/json"}, body)
    box.call("setWebhook", url=receiver.url)
    position = box.log_position()
    box.say(mina, "a")
    receiver.wait_for(1)
    box.say(mina, "b")
    receiver.wait_for(2)
    assert settled(box)["url"] == receiver.url
    found = [(entry["method"], entry.get("description")) for entry in box.log(position) if "via" in entry]
    assert found == entries * 2


def test_multipart_in_the_answer(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    fields = {
        "method": "sendMessage",
        "chat_id": str(mina["id"]),
        "text": "답 & <b>",
        "reply_markup": json.dumps(KEYBOARD),
    }
    body = parts(*[(name, value.encode(), "") for name, value in fields.items()])
    receiver.decide = lambda posted: Reply(200, MULTIPART, body)
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "Question")
    entries = eventually(lambda: box.accepted("sendMessage"), lambda found: bool(found))
    assert [(entry["text"], entry["via"]) for entry in entries] == [("답 & <b>", "webhook")]
    assert box.last_message(mina)["reply_markup"] == KEYBOARD
    assert box.deliveries()[-1]["method"] == "sendmessage"


@pytest.mark.parametrize("attached", [True, False])
def test_a_file_in_the_answer(box: TelegramBox, mina: JSON, receiver: Receiver, attached: bool) -> None:
    field = ("document", b"attach://report", "") if attached else ("document", BINARY, "report.bin")
    upload = [("report", BINARY, "report.bin")] if attached else []
    body = parts(("method", b"sendDocument", ""), ("chat_id", str(mina["id"]).encode(), ""), field, *upload)
    receiver.decide = lambda posted: Reply(200, MULTIPART, body)
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "Question")
    eventually(lambda: box.accepted("sendDocument"), lambda found: bool(found))
    document = box.last_message(mina)["document"]
    assert (document["file_name"], document["file_size"]) == ("report.bin", len(BINARY))


def test_a_file_by_address_in_the_answer(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    with Receiver() as pictures:
        pictures.content = png()
        call = {"method": "sendPhoto", "chat_id": mina["id"], "photo": pictures.url}
        receiver.decide = lambda posted: Reply(200, {"Content-Type": "application/json"}, json.dumps(call).encode())
        box.call("setWebhook", url=receiver.url)
        box.say(mina, "Question")
        entries = eventually(lambda: box.accepted("sendPhoto"), lambda found: bool(found))
    assert entries[0]["via"] == "webhook"
    assert len(box.last_message(mina)["photo"]) == 1


@pytest.mark.parametrize(
    ("headers", "body", "problem"),
    [
        ({"Content-Type": "application/json"}, b"{", "the answer cannot be read as application/json"),
        ({"Content-Type": "application/json"}, b"[1]", "the answer cannot be read as application/json"),
        ({"Content-Type": "application/json"}, b'{"method":5}', "method must be a text"),
        (MULTIPART, b"no parts", "the answer cannot be read as multipart/form-data"),
        ({"Content-Type": "multipart/form-data"}, parts(), "the answer cannot be read as multipart/form-data"),
        (MULTIPART, parts(("method", b"getMe", "")), "getMe is not carried out from a webhook's answer"),
        ({"Content-Type": "text/plain"}, b"ok", ""),
        ({}, b"", ""),
    ],
)
def test_why_an_answer_was_not_carried_out(
    box: TelegramBox, mina: JSON, receiver: Receiver, headers: dict[str, str], body: bytes, problem: str
) -> None:
    receiver.decide = lambda posted: Reply(200, headers, body)
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    settled(box)
    assert [(tried["method"], tried["answer_problem"]) for tried in box.deliveries()] == [("", problem)]
    assert not [entry for entry in box.log() if "via" in entry]
