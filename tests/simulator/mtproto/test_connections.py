"""Connections and their keys: two at once, one after the other, none, and what is no packet."""

from __future__ import annotations

import asyncio

import pytest
from telethon import errors
from telethon.errors import InvalidBufferError
from telethon.sessions import StringSession
from telethon.tl import functions

from tests.simulator.mtproto.clients import Clients, find, run
from tests.simulator.mtproto.conftest import ANN, BOB
from tests.simulator.mtproto.sending import message, texts
from tests.support.telegram_box import TelegramBox


def test_one_key_on_two_connections_ends_the_login(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            second = clients.client(StringSession(ann.session.save()))
            with pytest.raises(errors.AuthKeyDuplicatedError):
                await second.connect()
            with pytest.raises(errors.AuthKeyDuplicatedError):
                await ann(functions.updates.GetStateRequest())

    run(scenario())
    outcomes = [entry["outcome"] for entry in box.control("GET", "/mtproto/log")["entries"]]
    assert "duplicate_key" in outcomes
    assert box.control("GET", f"/accounts/{ANN}/logins")["logins"] == []


def test_one_key_on_two_connections_where_that_is_allowed(box: TelegramBox) -> None:
    box.control("PATCH", "/mtproto/settings", {"one_connection_per_key": False})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            second = await clients.connected(StringSession(ann.session.save()))
            assert (await second.get_me()).id == (await ann.get_me()).id

    run(scenario())


def test_a_key_is_used_again_right_after_its_connection_ended(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            session = ann.session.save()
            for _ in range(10):
                await ann.disconnect()
                ann = await clients.connected(StringSession(session))
                assert (await ann.get_me()).first_name == "Ann"

    run(scenario())
    entries = box.control("GET", "/mtproto/log")["entries"]
    events = [entry["outcome"] for entry in entries if entry["outcome"] in ("connected", "closed", "duplicate_key")]
    assert events.count("connected") == 11
    assert "duplicate_key" not in events


def test_a_key_that_the_server_forgot_is_unknown(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            session = ann.session.save()
            await ann.disconnect()
            box.reset()
            again = clients.client(StringSession(session), connection_retries=0)
            with pytest.raises((InvalidBufferError, errors.AuthKeyNotFound)):
                await again.connect()

    run(scenario())


def test_what_is_no_packet_ends_the_connection_and_nothing_else(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            host, port = clients.server["host"], clients.server["port"]
            for garbage in (
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"\xef\x05" + bytes(20),
                b"\xee\xee\xee\xee" + b"\xff" * 8,
            ):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(garbage)
                writer.write_eof()
                assert await asyncio.wait_for(reader.read(), 60) == b""
                writer.close()
            ann = await clients.logged_in(ANN)
            with pytest.raises(errors.BadRequestError, match="METHOD_NOT_SIMULATED"):
                await ann(functions.messages.GetStickersRequest("x", 0))

    run(scenario())


def test_a_server_that_is_away_and_comes_back(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN, connection_retries=200)
            target = await find(ann, BOB)
            box.control("PATCH", "/mtproto/settings", {"accepts_connections": False})
            assert box.control("POST", "/mtproto/cut")["closed"] == 1
            sending = asyncio.create_task(ann(message(target)))
            await asyncio.sleep(0.3)
            assert texts(box) == []
            box.control("PATCH", "/mtproto/settings", {"accepts_connections": True})
            await sending

    run(scenario())
    assert texts(box) == ["Hello"]


@pytest.mark.parametrize(
    ("change", "error"),
    [({"deactivated": True}, errors.UserDeactivatedError), ({"banned": True}, errors.UserDeactivatedBanError)],
)
def test_a_login_of_an_account_that_is_gone(box: TelegramBox, change: dict[str, bool], error: type[Exception]) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            box.control("PATCH", f"/accounts/{ANN}", change)
            with pytest.raises(error):
                await ann(functions.updates.GetStateRequest())

    run(scenario())
