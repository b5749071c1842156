"""The protocol below the methods: service messages, packed bodies, many calls at once."""

from __future__ import annotations

import asyncio

from telethon.tl import functions, types

from tests.simulator.mtproto.clients import Clients, Heard, find, run
from tests.simulator.mtproto.conftest import ANN, BOB
from tests.support.telegram_box import TelegramBox


def test_service_messages_are_answered(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            assert (await client(functions.PingRequest(5))).ping_id == 5
            assert (await client(functions.PingDelayDisconnectRequest(6, 60))).ping_id == 6
            assert isinstance(await client(functions.GetFutureSaltsRequest(2)), types.FutureSalts)
            nearest = await client(functions.help.GetNearestDcRequest())
            config = await client(functions.help.GetConfigRequest())
            assert nearest.this_dc == config.this_dc == 2
            assert {option.port for option in config.dc_options} == {clients.server["port"]}

    run(scenario())


def test_long_bodies_are_packed_both_ways(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            await ann(functions.messages.SendMessageRequest(target, "z" * 4096, random_id=1))
            [message] = await ann.get_messages(target)
            assert message.message == "z" * 4096

    run(scenario())


def test_many_calls_at_once_are_carried_out_in_their_order(box: TelegramBox) -> None:
    wanted = [f"m{number}" for number in range(300)]

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            heard = Heard(bob, incoming=True)
            target = await find(ann, BOB)
            sent = await asyncio.gather(*(ann.send_message(target, text) for text in wanted))
            assert len({message.id for message in sent}) == 300
            await heard.wait(300)
            assert [each.raw_text for each in heard] == wanted

    run(scenario())
    log = box.control("GET", "/mtproto/log", method="messages.sendMessage")["entries"]
    assert [entry["text"] for entry in log] == wanted
    assert len({entry["random_id"] for entry in log}) == 300


def test_several_calls_in_one_packet(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            await find(ann, BOB)
            users, ids = await ann(
                [functions.users.GetUsersRequest([types.InputUserSelf()]), functions.contacts.GetContactIDsRequest(0)],
                ordered=True,
            )
            assert (users[0].is_self, ids) == (True, [])

    run(scenario())
