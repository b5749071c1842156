"""Other people's pages: requests under a foreign host name, of a foreign origin, or from another site."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from simulator.web.guard import host_name, is_own_name
from tests.simulator.wire import method
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]


def ask(box: TelegramBox, verb: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, bytes]:
    """One request with exactly these headers; `{own}` stands for the simulator's host and port."""
    own = box.url.removeprefix("http://")
    connection = http.client.HTTPConnection(own, timeout=60)
    try:
        sent = {"Host": own} | {name: value.format(own=own) for name, value in headers.items()}
        connection.putrequest(verb, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {**sent, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body.encode())
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


FOREIGN: list[dict[str, str]] = [
    {"Host": "rebound.example:80"},
    {"Host": "rebound.example", "Origin": "http://rebound.example", "Sec-Fetch-Site": "same-origin"},
    {"Host": "localhost.evil.example"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site"},
]
OWN: list[dict[str, str]] = [
    {},
    {"Origin": "http://{own}", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Host": "localhost:8081", "Origin": "http://localhost:8081"},
    {"Host": "[::1]:8081", "Origin": "http://[::1]:8081"},
    {"Host": "box.localhost"},
    {"Host": "192.0.2.7:8081"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_foreign_page_changes_and_reads_nothing(box: TelegramBox, mina: JSON, headers: dict[str, str]) -> None:
    before = box.control("GET", "/state")
    for verb, path, body in (
        ("POST", "/control/people", '{"first_name":"Sam"}'),
        ("POST", "/control/reset", ""),
        ("GET", "/control/state", ""),
        ("POST", method("sendMessage"), ""),
        ("GET", f"{method('sendMessage')}?chat_id={mina['id']}&text=Hello", ""),
        ("GET", "/file/bot7000000001:DEMO-simulated-bot-token-not-real/photos/file_1.png", ""),
    ):
        status, answer = ask(box, verb, path, headers, body)
        assert status == 403, (verb, path)
        shape = json.loads(answer)
        assert shape["error"]["code"] == "forbidden" if path.startswith("/control") else shape["error_code"] == 403
    assert box.control("GET", "/state") == before


@pytest.mark.parametrize("headers", OWN)
def test_programs_and_its_own_page_are_let_in(box: TelegramBox, mina: JSON, headers: dict[str, str]) -> None:
    assert ask(box, "POST", "/control/people", headers, '{"first_name":"Sam"}')[0] == 201
    assert ask(box, "GET", f"{method('sendMessage')}?chat_id={mina['id']}&text=Hello", headers)[0] == 200


def test_a_link_from_elsewhere_opens_the_phone(box: TelegramBox) -> None:
    link = "/switchboard_demo_bot?start=abc"
    assert ask(box, "GET", link, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})[0] == 200
    assert ask(box, "GET", link, {"Host": "rebound.example"})[0] == 403


def test_a_name_that_was_allowed() -> None:
    with TelegramBox("--allow-host", "Telegram-Box") as box:
        assert ask(box, "GET", "/control/health", {"Host": "telegram-box:8081"})[0] == 200
        assert ask(box, "GET", "/control/health", {"Host": "other-box:8081"})[0] == 403


@pytest.mark.parametrize(
    ("host", "name", "own"),
    [
        ("127.0.0.1:8081", "127.0.0.1", True),
        ("[::1]:8081", "::1", True),
        ("LOCALHOST.", "localhost", True),
        ("127.0.0.1.nip.example", "127.0.0.1.nip.example", False),
        ("", "", False),
    ],
)
def test_names(host: str, name: str, own: bool) -> None:
    assert host_name(host) == name
    assert is_own_name(name, frozenset()) == own
