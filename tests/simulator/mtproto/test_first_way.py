"""The whole way of a plain client: connect, log in with a code, find somebody, write, hear, catch up."""

from __future__ import annotations

import pytest
from telethon import errors, events
from telethon.network import ConnectionTcpAbridged, ConnectionTcpFull, ConnectionTcpIntermediate
from telethon.sessions import StringSession
from telethon.tl import functions, types

from tests.simulator.mtproto.clients import Clients, Heard, find, run
from tests.simulator.mtproto.conftest import ANN, BOB
from tests.support.telegram_box import TelegramBox


@pytest.mark.parametrize("transport", [ConnectionTcpFull, ConnectionTcpAbridged, ConnectionTcpIntermediate])
def test_a_client_logs_in_with_the_code_of_the_phone(box: TelegramBox, transport: type) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected(connection=transport)
            assert not await client.is_user_authorized()
            sent = await client.send_code_request(ANN)
            assert isinstance(sent.type, types.auth.SentCodeTypeApp)
            with pytest.raises(errors.PhoneCodeInvalidError):
                await client.sign_in(ANN, "x")
            await client.sign_in(ANN, clients.code(ANN))
            me = await client.get_me()
            assert (me.phone, me.first_name, me.username) == (ANN[1:], "Ann", "ann_sim")

    run(scenario())
    [code, login] = box.control("GET", f"/accounts/{ANN}/chats/777000")["messages"]
    assert code["text"].startswith("Login code: ")
    assert login["text"].startswith("New login.")


def test_a_message_arrives_is_answered_and_read(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            heard, answers, reads = Heard(bob, incoming=True), Heard(ann, incoming=True), Heard(ann, events.MessageRead)
            target = await find(ann, BOB)
            sent = await ann(functions.messages.SendMessageRequest(target, "Hello", random_id=77))
            await heard.wait()
            assert (heard[0].raw_text, (await heard[0].get_sender()).first_name) == ("Hello", "Ann")
            await bob.send_read_acknowledge(await heard[0].get_input_chat())
            await reads.wait()
            assert reads[0].max_id == sent.id
            await heard[0].respond("Hi Ann")
            await answers.wait()
            assert answers[0].raw_text == "Hi Ann"
            history = await ann.get_messages(target, limit=10)
            assert [message.raw_text for message in history] == ["Hi Ann", "Hello"]

    run(scenario())
    log = box.control("GET", "/mtproto/log", method="messages.sendMessage", account=ANN)
    [entry] = log["entries"]
    bob = box.control("GET", f"/accounts/{BOB}")["id"]
    assert (entry["outcome"], entry["random_id"], entry["peer"], entry["text"]) == ("accepted", "77", bob, "Hello")
    assert entry["message_id"]
    assert entry["connection"]


def test_what_happened_meanwhile_is_in_the_difference(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            state = await ann(functions.updates.GetStateRequest())
            session = StringSession(ann.session.save())
            await ann.send_message(await find(ann, BOB), "Are you there?")
            await ann.disconnect()
            box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Yes"})
            again = await clients.connected(session)
            difference = await again(functions.updates.GetDifferenceRequest(state.pts, state.date, 0))
            assert isinstance(difference, types.updates.Difference)
            assert [(message.message, message.out) for message in difference.new_messages] == [
                ("Are you there?", True),
                ("Yes", False),
            ]
            [read] = difference.other_updates
            assert isinstance(read, types.UpdateReadHistoryOutbox)
            assert difference.state.pts == state.pts + 3
            assert {user.first_name for user in difference.users} == {"Ann", "Bob"}
            caught_up = await again(functions.updates.GetDifferenceRequest(difference.state.pts, state.date, 0))
            assert isinstance(caught_up, types.updates.DifferenceEmpty)

    run(scenario())


def test_a_number_that_nobody_has_or_shows_is_not_found(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            with pytest.raises(errors.PhoneNotOccupiedError):
                await find(ann, "+12025550199")
            await find(ann, BOB)
            box.control("PATCH", f"/accounts/{BOB}", {"hides_number": True})
            with pytest.raises(errors.PhoneNotOccupiedError):
                await find(ann, BOB)

    run(scenario())


def test_an_access_hash_of_another_account_is_of_no_use(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            of_ann = await find(bob, ANN)
            with pytest.raises(errors.PeerIdInvalidError):
                await ann.send_message(types.InputPeerUser(of_ann.user_id, of_ann.access_hash), "to myself")
            assert (await ann.get_me()).id == of_ann.user_id

    run(scenario())
