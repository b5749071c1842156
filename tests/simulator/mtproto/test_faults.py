"""Faults: what a client sees when something is lost or refused, and what was done all the same."""

from __future__ import annotations

import asyncio

import pytest
from telethon import errors, events
from telethon.tl import functions, types

from tests.simulator.mtproto.clients import Clients, Heard, find, run, until
from tests.simulator.mtproto.conftest import ANN, BOB
from tests.simulator.mtproto.sending import message, sends, texts
from tests.support.telegram_box import TelegramBox


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


async def until_it_strikes(box: TelegramBox) -> None:
    """Waits until the server has a call that the only rule is about."""
    await until(lambda: box.control("GET", "/mtproto/faults")["faults"][0]["struck"] > 0)


def test_the_same_send_is_refused_while_the_first_is_in_work(box: TelegramBox) -> None:
    box.control("POST", "/mtproto/faults", {"kind": "latency", "seconds": 3, "method": "messages.send*"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN, request_retries=0)
            target = await find(ann, BOB)
            first = asyncio.create_task(ann(message(target)))
            await until_it_strikes(box)
            with pytest.raises(errors.RandomIdDuplicateError):
                await ann(message(target))
            assert (await first).id

    run(scenario())
    assert texts(box) == ["Hello"]
    assert [outcome for outcome, _ in sends(box)] == ["rejected", "accepted"]


def test_what_is_in_work_is_carried_out_though_the_client_left(box: TelegramBox) -> None:
    box.control("POST", "/mtproto/faults", {"kind": "latency", "seconds": 3, "method": "messages.sendMessage"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN, auto_reconnect=False)
            sending = asyncio.create_task(ann(message(await find(ann, BOB))))
            await until_it_strikes(box)
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
            await asyncio.wait_for(ann(message(await find(ann, BOB))), 60)

    run(scenario())
    assert texts(box) == ["Hello"]
    again = "repeated" if kind == "drop_after" else "accepted"
    assert sends(box) == [("accepted" if kind == "drop_after" else "ignored", kind), (again, None)]


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
    box.control("POST", "/mtproto/faults", {"kind": "flood_wait", "seconds": 4, "method": "contacts.resolvePhone"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            seconds, found = [], None
            while found is None:
                try:
                    found = await find(ann, BOB)
                except errors.FloodWaitError as refused:
                    seconds.append(refused.seconds)
                    ann._flood_waited_requests.clear()
                    await asyncio.sleep(0.5)
            assert seconds, "it was never refused"
            assert seconds[0] <= 4
            assert seconds == sorted(seconds, reverse=True)
            assert len(set(seconds)) > 1, "what is left of the wait is said"

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
