"""Three client libraries against the simulator: their strict models read all it answers, and bots on them run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.samples import BOT, collect
from tests.simulator.wire import eventually, png
from tests.support.telegram_box import DEMO_TOKEN, ROOT, TelegramBox

JSON = dict[str, Any]
FOLDER = Path(__file__).with_name("clients")
LIBRARIES = ["with_aiogram", "with_python_telegram_bot", "with_telebot"]
WITHIN = 120.0
"""Seconds: on a busy machine, importing aiogram alone takes many."""
OLD_FIELDS = {"all_members_are_administrators"}
"""What Telegram still sends though its documentation has dropped it."""


def command(library: str, *arguments: str) -> list[str]:
    """The program of a library."""
    return [sys.executable, str(FOLDER / f"{library}.py"), *arguments]


def environment() -> dict[str, str]:
    """With the client libraries on the path, before those of the product; without a proxy."""
    clients = ROOT / ".venv" / "clients"
    assert clients.is_dir(), "bin/setup --dev installs the client libraries"
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "PYTHONPATH": str(clients)}


@pytest.fixture(scope="module")
def samples() -> list[JSON]:
    """All kinds of answers, from a simulator of their own."""
    with TelegramBox() as box:
        return collect(box)


def test_there_are_samples_of_every_kind(samples: list[JSON]) -> None:
    updates = [sample["value"] for sample in samples if sample["kind"] == "Update"]
    assert {name for update in updates for name in update if name != "update_id"} == {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "callback_query",
        "my_chat_member",
        "chat_member",
    }
    members = [sample["value"] for sample in samples if sample["kind"] == "ChatMember"]
    statuses = {"creator", "administrator", "member", "restricted", "left", "kicked"}
    assert {member["status"] for member in members} == statuses
    types = {sample["value"]["type"] for sample in samples if sample["kind"] == "ChatFullInfo"}
    assert types == {"private", "group", "supergroup", "channel"}


@pytest.mark.slow
def test_strict_models_read_every_answer(samples: list[JSON]) -> None:
    running = [
        subprocess.Popen(
            command(library, "read"), env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for library in LIBRARIES
    ]
    unknown = []
    for library, process in zip(LIBRARIES, running, strict=True):
        output, _ = process.communicate(json.dumps(samples), WITHIN)
        assert process.returncode == 0, library
        found = json.loads(output)
        assert found["problems"] == [], library
        unknown.append(set(found["unknown"]))
    # Each library is as new as it is: only what none of the two knows is wrong.
    assert unknown[0] & unknown[1] <= OLD_FIELDS


@contextmanager
def running(library: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of a library, ended with the block."""
    process = subprocess.Popen(command(library, *arguments), env=environment())
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=LIBRARIES)
def bot(request: pytest.FixtureRequest, box: TelegramBox) -> Iterator[subprocess.Popen[bytes]]:
    """A bot on one of the libraries, polling."""
    with running(request.param, "bot", box.url, DEMO_TOKEN) as process:
        yield process


def webhook_of(box: TelegramBox) -> str:
    return str(box.call("getWebhookInfo")["result"]["url"])


@pytest.mark.slow
def test_a_bot_that_answers_in_the_webhooks_answer(box: TelegramBox, mina: JSON) -> None:
    with running("with_aiogram", "webhook", box.url, DEMO_TOKEN) as program:
        eventually(lambda: webhook_of(box), lambda url: bool(url) or program.poll() is not None, WITHIN)
        said = box.say(mina, "Hello 😀")
        eventually(lambda: box.accepted("sendMessage"), lambda found: bool(found))
        answer = box.last_message(mina)
        assert (answer["text"], answer["entities"][0]["type"]) == ("Hello 😀", "bold")
        assert answer["reply_to_message"]["message_id"] == said["message_id"]
        box.send_document(mina, b"abc", "a.txt")
        entry = eventually(lambda: box.accepted("sendDocument"), lambda found: bool(found))[0]
        assert entry["via"] == "webhook"
        assert box.last_message(mina)["document"]["file_name"] == "back.txt"


@pytest.mark.slow
def test_a_bot_on_the_library_runs(box: TelegramBox, bot: subprocess.Popen[bytes]) -> None:
    mina = box.person("Mina <3", username="mina_park")

    def heard(chat: JSON, count: int) -> list[JSON]:
        def said() -> list[JSON]:
            messages = box.transcript(chat, DEMO_TOKEN if chat is mina else None)
            return [message for message in messages if message.get("from", {}).get("is_bot")]

        return eventually(said, lambda found: len(found) >= count or bot.poll() is not None, WITHIN)

    box.start(mina, payload="abc_123")
    greeting = heard(mina, 1)[0]
    assert greeting["text"] == "Hello Mina <3 abc_123"
    assert greeting["entities"] == [{"type": "text_mention", "offset": 6, "length": 7, "user": mina}]
    box.press(mina, greeting)
    eventually(lambda: box.answers()[0]["answer"], lambda answer: answer is not None)
    assert box.answers()[0]["answer"]["text"] == "Done"
    eventually(lambda: heard(mina, 1)[0]["text"], lambda text: text == "Pressed")
    box.say(mina, "Same 😀 https://example.test/")
    assert heard(mina, 2)[1]["text"] == "Same 😀 https://example.test/"
    picture = box.send_photo(mina, png(200, 100), caption="Look")
    back = heard(mina, 3)[2]
    assert (back["caption"], back["photo"]) == ("Look", picture["photo"])
    box.send_document(mina, b"abc", "a.txt")
    back = heard(mina, 4)[3]
    assert (back["document"]["file_name"], back["document"]["file_size"]) == ("back.txt", 3)
    assert back["reply_to_message"]["document"]["file_name"] == "a.txt"
    group = box.group("Operations", type="supergroup", creator=mina, bots=[BOT])
    box.member(group, BOT, "administrator")
    box.say(mina, f"/where@{BOT}", chat=group)
    assert heard(group, 1)[0]["text"] == "supergroup administrator 2"
    box.say(mina, "/bye")
    assert heard(mina, 5)[4]["text"] == "Bye"
    assert bot.wait(WITHIN) == 0
    # A poll that a library has left is ended by the next one: that answer reaches nobody.
    refused = [entry for entry in box.log() if entry["outcome"] == "rejected" and entry["method"] != "getUpdates"]
    assert [(entry["method"], entry["description"]) for entry in refused] == []
