"""The phone page: served whole from here, links to bots, live events."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from tests.simulator.wire import exchange, png
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
FOREIGN = re.compile(
    r"""(?:src|href|action)\s*=\s*["']?\s*(?:https?:)?//|url\(\s*["']?\s*(?:https?:)?//|@import|fetch\(["'`]http"""
)


def parts(box: TelegramBox) -> dict[str, str]:
    """The page and everything it loads, by address."""
    found: dict[str, str] = {}
    wanted = ["/"]
    while wanted:
        path = wanted.pop()
        if path in found:
            continue
        answer = exchange(box, path, "GET")
        assert answer.status_code == 200, path
        found[path] = answer.text
        wanted += re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
        wanted += re.findall(r'from "(/static/[a-z]+\.js)"', answer.text)
    return found


def test_the_page_needs_nothing_from_elsewhere(box: TelegramBox) -> None:
    found = parts(box)
    assert {"/", "/static/phone.js", "/static/api.js", "/static/messages.js", "/static/phone.css"} <= set(found)
    for path, text in found.items():
        assert not FOREIGN.search(text), path
    assert "<title>Telegram in a box</title>" in found["/"]


@pytest.mark.parametrize("path", ["/switchboard_demo_bot?start=abc", "/t/switchboard_demo_bot"])
def test_the_address_of_a_bot_is_the_page(box: TelegramBox, path: str) -> None:
    assert "Telegram in a box" in exchange(box, path, "GET").text


@pytest.mark.parametrize("path", ["/nobody_bot", "/static/none.js", "/static/../engine.py", "/control/files/none"])
def test_what_is_not_there(box: TelegramBox, path: str) -> None:
    assert exchange(box, path, "GET").status_code == 404


def test_what_the_page_asks_for(box: TelegramBox, mina: JSON) -> None:
    chats = box.control("GET", f"/people/{mina['id']}/chats")["chats"]
    assert [(chat["bot"]["username"], chat["started"]) for chat in chats] == [
        ("switchboard_demo_bot", True),
        ("other_demo_bot", False),
    ]
    assert chats[0]["last_message"]["text"] == "/start"


def test_files_for_the_page_cannot_run_anything(box: TelegramBox, mina: JSON) -> None:
    photo = box.send_photo(mina, png())["photo"][-1]["file_id"]
    shown = exchange(box, f"/control/files/{photo}", "GET")
    assert (shown.headers["Content-Type"], shown.content) == ("image/png", png())
    page = box.send_document(mina, b"<script>", "a.html")["document"]["file_id"]
    saved = exchange(box, f"/control/files/{page}", "GET")
    assert saved.headers["Content-Type"] == "application/octet-stream"
    assert saved.headers["Content-Disposition"] == "attachment"
    assert saved.headers["X-Content-Type-Options"] == "nosniff"


def test_live_events(box: TelegramBox, mina: JSON) -> None:
    with requests.Session() as session:
        session.trust_env = False
        with session.get(f"{box.url}/control/events", stream=True, timeout=60) as stream:
            lines = stream.iter_lines()
            assert next(lines) == b"retry: 1000"
            said = box.say(mina, "Hello")
            event = json.loads(next(line for line in lines if line.startswith(b"data: "))[6:])
    assert (event["type"], event["chat_id"], event["message_id"]) == ("message", mina["id"], said["message_id"])
