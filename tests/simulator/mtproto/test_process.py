"""The simulator as a process: its key and its logins outlive a restart; without accounts nothing listens."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from telethon.sessions import StringSession

from tests.simulator.mtproto.clients import Clients, find, run
from tests.simulator.mtproto.conftest import ANN, BOB
from tests.support.telegram_box import BoxError, TelegramBox


def test_a_client_goes_on_after_a_restart(tmp_path: Path) -> None:
    state, sessions = tmp_path / "world.json", []

    async def first(box: TelegramBox) -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            await ann.send_message(await find(ann, BOB), "Before")
            sessions.append(ann.session.save())

    with TelegramBox("--state", str(state), accounts=True) as box:
        for phone, name in ((ANN, "Ann"), (BOB, "Bob")):
            box.control("POST", "/accounts", {"phone": phone, "first_name": name})
        run(first(box))
        port, key = (box.control("GET", "/mtproto")[name] for name in ("port", "public_key"))

    async def second(box: TelegramBox) -> None:
        async with Clients(box) as clients:
            ann = await clients.connected(StringSession(sessions[0]))
            target = await find(ann, BOB)
            await ann.send_message(target, "After")
            assert [message.text for message in await ann.get_messages(target, limit=5)] == ["After", "Before"]

    with TelegramBox("--state", str(state), "--mtproto-port", str(port)) as box:
        assert box.control("GET", "/mtproto")["public_key"] == key
        run(second(box))


def test_the_address_is_told_in_one_value(box: TelegramBox) -> None:
    told = box.control("GET", "/mtproto")
    address, _, key = told["server"].partition("?key=")
    assert address == f"tcp://127.0.0.1:{told['port']}"
    answer = requests.get(key, timeout=60)
    assert answer.text == told["public_key"]
    assert answer.text.startswith("-----BEGIN RSA PUBLIC KEY-----")


def test_a_log_is_also_written_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with TelegramBox("--account-log", str(path), accounts=True) as box:
        box.control("POST", "/accounts", {"phone": ANN, "first_name": "Ann"})

        async def scenario() -> None:
            async with Clients(box) as clients:
                await clients.logged_in(ANN)

        run(scenario())
        assert '"method":"auth.signIn"' in path.read_text()


def test_without_accounts_there_is_no_port() -> None:
    with TelegramBox() as box:
        with pytest.raises(BoxError) as raised:
            box.control("GET", "/mtproto")
        assert raised.value.status == 404
        assert requests.get(f"{box.url}/control/mtproto/key.pem", timeout=60).status_code == 404


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("POST", "/accounts", {"phone": "12"}, 422),
        ("POST", "/accounts", {"phone": ANN}, 422),
        ("POST", "/accounts", {"phone": "+12025550177", "accepts": "friends"}, 422),
        ("POST", "/accounts", {"phone": "+12025550177", "banned": "yes"}, 422),
        ("PATCH", f"/accounts/{ANN}", {"dc": 9}, 422),
        ("PATCH", f"/accounts/{ANN}", {"phone": BOB}, 422),
        ("PATCH", f"/accounts/{ANN}", {"username": "no spaces"}, 422),
        ("PATCH", f"/accounts/{ANN}", {"phone": "+12025550188", "username": "no spaces"}, 422),
        ("PATCH", f"/accounts/{ANN}", {"username": "switchboard_demo_bot"}, 422),
        ("GET", "/accounts/+19999999999", None, 404),
        ("GET", "/accounts/nobody_sim", None, 404),
        ("POST", f"/accounts/{ANN}/say", {"chat": BOB, "text": " "}, 422),
        ("POST", f"/accounts/{ANN}/say", {"text": "x"}, 422),
        ("POST", f"/accounts/{ANN}/edit", {"message_id": 99, "text": "x"}, 404),
        ("POST", f"/accounts/{ANN}/delete", {"message_ids": [99]}, 404),
        ("POST", f"/accounts/{ANN}/delete", {"message_ids": ["x"]}, 422),
        ("POST", f"/accounts/{ANN}/scan", {"link": "tg://login?token=bm90IGEgdG9rZW4gYXQgYWxs"}, 422),
        ("POST", f"/accounts/{ANN}/scan", {"link": "https://example.com"}, 422),
        ("POST", f"/accounts/{ANN}/revoke", {"hash": "5"}, 404),
        ("POST", "/mtproto/faults", {"kind": "rain"}, 422),
        ("POST", "/mtproto/faults", {"kind": "error", "code": 200}, 422),
        ("POST", "/mtproto/faults", {"kind": "error", "count": -1}, 422),
        ("POST", "/mtproto/faults", {"kind": "error", "account": "nobody_sim"}, 404),
        ("DELETE", "/mtproto/faults/99", None, 404),
        ("PATCH", "/mtproto/settings", {"speed": 1}, 422),
        ("PATCH", "/mtproto/settings", {"difference_slice": 0}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(
    box: TelegramBox, verb: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    before = [box.control("GET", place) for place in ("/accounts", "/people")]
    with pytest.raises(BoxError) as raised:
        box.control(verb, path, body)
    assert raised.value.status == status
    assert [box.control("GET", place) for place in ("/accounts", "/people")] == before
