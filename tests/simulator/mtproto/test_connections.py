"""Connections and faults: what a client sees when something is lost, and what was done all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from telethon import errors, events
from telethon.errors import InvalidBufferError
from telethon.sessions import StringSession
from telethon.tl import functions, types

from tests.simulator.mtproto.clients import Clients, Heard, find, run, until
from tests.simulator.mtproto.conftest import ANN, BOB
from tests.support.telegram_box import TelegramBox


def sends(box: TelegramBox, **which: Any) -> list[tuple[str, str | None]]:
    """The outcome and the fault of each send of Ann's."""
    entries = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=ANN, **which)["entries"]
    return [(entry["outcome"], entry.get("fault")) for entry in entries]


def texts(box: TelegramBox, of: str = BOB, chat: str = ANN) -> list[str]:
    """What stands in a box."""
    return [message["text"] for message in box.control("GET", f"/accounts/{of}/chats/{chat}")["messages"]]


def message(target: types.InputPeerUser, random_id: int = 7) -> functions.messages.SendMessageRequest:
    return functions.messages.SendMessageRequest(target, "Hello", random_id=random_id)


def test_a_repeat_of_an_accepted_send_answers_with_the_old_message(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            first = await ann(message(target))
            await ann(functions.messages.SendMessageRequest(target, "Other", random_id=8))
            again = await ann(message(target))
            [number, shown] = again.updates
            assert (number.id, number.random_id) == (first.id, 7)
            assert (shown.message.id, shown.message.message, shown.pts_count) == (first.id, "Hello", 0)

    run(scenario())
    assert texts(box) == ["Hello", "Other"]
    assert sends(box) == [("accepted", None), ("accepted", None), ("repeated", None)]
    assert sends(box, random_id="7") == [("accepted", None), ("repeated", None)]


def test_a_random_id_is_forgotten_after_its_time(box: TelegramBox) -> None:
    box.control("PATCH", "/mtproto/settings", {"random_id_lifetime": 0.001})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            for _ in range(2):
                await ann(message(target))
                await asyncio.sleep(0.01)

    run(scenario())
    assert texts(box) == ["Hello", "Hello"]


def test_the_same_send_is_refused_while_the_first_is_in_work(box: TelegramBox) -> None:
    box.control("POST", "/mtproto/faults", {"kind": "latency", "seconds": 1, "method": "messages.send*"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN, request_retries=0)
            target = await find(ann, BOB)
            first = asyncio.create_task(ann(message(target)))
            await asyncio.sleep(0.2)
            with pytest.raises(errors.RandomIdDuplicateError):
                await ann(message(target))
            assert (await first).id

    run(scenario())
    assert texts(box) == ["Hello"]
    assert [outcome for outcome, _ in sends(box)] == ["rejected", "accepted"]


def test_what_is_in_work_is_carried_out_though_the_client_left(box: TelegramBox) -> None:
    box.control("POST", "/mtproto/faults", {"kind": "latency", "seconds": 0.3, "method": "messages.sendMessage"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN, auto_reconnect=False)
            sending = asyncio.create_task(ann(message(await find(ann, BOB))))
            await asyncio.sleep(0.1)
            await ann.disconnect()
            with pytest.raises((asyncio.CancelledError, ConnectionError)):
                await sending
            await until(lambda: texts(box) == ["Hello"])

    run(scenario())


@pytest.mark.parametrize(("kind", "arrived"), [("lose_reply", ["Hello"]), ("ignore", [])])
def test_a_reply_that_is_lost_leaves_the_call_open(box: TelegramBox, kind: str, arrived: list[str]) -> None:
    box.control("POST", "/mtproto/faults", {"kind": kind, "method": "messages.sendMessage", "count": 1})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(ann(message(target)), 0.5)
            assert texts(box) == arrived
            # The client sends it again by itself as soon as it has to connect again.
            assert box.control("POST", f"/accounts/{ANN}/cut") == {"closed": 1}
            await until(lambda: len(sends(box)) == 2)

    run(scenario())
    assert texts(box) == ["Hello"]
    assert sends(box)[0] == ("ignored" if kind == "ignore" else "accepted", kind)
    assert sends(box)[1][0] == ("accepted" if kind == "ignore" else "repeated")


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_connection_that_ends_around_a_send(box: TelegramBox, kind: str) -> None:
    box.control("POST", "/mtproto/faults", {"kind": kind, "method": "messages.sendMessage", "count": 1})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            await asyncio.wait_for(ann(message(await find(ann, BOB))), 10)

    run(scenario())
    assert texts(box) == ["Hello"]
    again = "repeated" if kind == "drop_after" else "accepted"
    assert sends(box) == [("accepted" if kind == "drop_after" else "ignored", kind), (again, None)]


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


def test_a_wait_is_told_for_one_method_and_one_account(box: TelegramBox) -> None:
    fault = {"kind": "error", "code": 420, "message": "FLOOD_WAIT_31", "method": "contacts.resolve*", "account": ANN}
    made = box.control("POST", "/mtproto/faults", fault)

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            with pytest.raises(errors.FloodWaitError) as raised:
                await find(ann, BOB)
            assert raised.value.seconds == 31
            await find(bob, ANN)
            assert (await ann.get_me()).first_name == "Ann"

    run(scenario())
    assert box.control("GET", "/mtproto/faults")["faults"][0]["struck"] == 1
    box.control("DELETE", f"/mtproto/faults/{made['id']}")
    assert box.control("GET", "/mtproto/faults") == {"faults": []}


def test_a_wait_is_over_after_its_seconds(box: TelegramBox) -> None:
    box.control("POST", "/mtproto/faults", {"kind": "flood_wait", "seconds": 1.5, "method": "contacts.resolvePhone"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            seconds = []
            for _ in range(2):
                with pytest.raises(errors.FloodWaitError) as raised:
                    await find(ann, BOB)
                seconds.append(raised.value.seconds)
                ann._flood_waited_requests.clear()
                await asyncio.sleep(0.75)
            assert seconds == [2, 1]
            await find(ann, BOB)

    run(scenario())


def test_a_refusal_of_strangers_only_lets_answers_through(box: TelegramBox) -> None:
    fault = {"kind": "error", "code": 400, "message": "PEER_FLOOD", "method": "messages.sendMessage"}
    box.control("POST", "/mtproto/faults", fault | {"only_strangers": True})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            with pytest.raises(errors.PeerFloodError):
                await ann(message(target, 1))
            box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Hello?"})
            await ann(message(target, 2))

    run(scenario())


def test_what_a_406_means_is_told_by_a_notice(box: TelegramBox) -> None:
    fault = {"kind": "error", "code": 406, "message": "UPDATE_APP_TO_LOGIN", "notice": "Please update."}
    box.control("POST", "/mtproto/faults", fault | {"method": "contacts.resolvePhone"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            told = Heard(ann, events.Raw(types.UpdateServiceNotification))
            with pytest.raises(errors.AuthKeyError):
                await find(ann, BOB)
            await told.wait()
            assert told[0].message == "Please update."
            box.control("POST", f"/accounts/{ANN}/notice", {"message": "Hello from Telegram"})
            await told.wait(2)
            assert (told[1].message, told[1].popup) == ("Hello from Telegram", True)

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
                assert await asyncio.wait_for(reader.read(), 5) == b""
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


def test_a_fault_strikes_the_login_of_one_number(box: TelegramBox) -> None:
    fault = {"kind": "error", "code": 400, "message": "API_ID_INVALID", "method": "auth.sendCode", "account": BOB}
    box.control("POST", "/mtproto/faults", fault)

    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            await client.send_code_request(ANN)
            with pytest.raises(errors.ApiIdInvalidError):
                await client.send_code_request(BOB)

    run(scenario())
