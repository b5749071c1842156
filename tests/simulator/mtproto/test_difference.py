"""Catching up: what `updates.getDifference` holds, in parts, or says to be too much."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon import TelegramClient, errors, events
from telethon.tl import functions, types

from tests.simulator.mtproto.clients import Clients, Heard, find, run, until
from tests.simulator.mtproto.conftest import ANN, BOB
from tests.support.telegram_box import TelegramBox

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


async def difference(client: TelegramClient, pts: int, **more: Any) -> Any:
    return await client(functions.updates.GetDifferenceRequest(pts, SINCE, 0, **more))


async def position(client: TelegramClient) -> int:
    return int((await client(functions.updates.GetStateRequest())).pts)


def test_reads_edits_reactions_and_deletions_stand_in_it(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            sent = [await ann.send_message(target, text) for text in ("One", "Two", "Three")]
            pts = await position(ann)
            theirs = [each["id"] for each in box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"]]
            box.control("POST", f"/accounts/{BOB}/read", {"chat": ANN})
            box.control("POST", f"/accounts/{BOB}/react", {"message_id": theirs[0], "emoji": "❤"})
            box.control("POST", f"/accounts/{BOB}/delete", {"message_ids": [theirs[1]]})
            answer = box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Stop"})
            box.control("POST", f"/accounts/{BOB}/edit", {"message_id": answer["id"], "text": "STOP"})
            found = await difference(ann, pts)
            assert isinstance(found, types.updates.Difference)
            assert [message.message for message in found.new_messages] == ["STOP"]
            read, reaction, deleted, edited = found.other_updates
            assert (type(read), read.max_id) == (types.UpdateReadHistoryOutbox, sent[2].id)
            assert (type(reaction), reaction.message.id) == (types.UpdateEditMessage, sent[0].id)
            assert (type(deleted), deleted.messages) == (types.UpdateDeleteMessages, [sent[1].id])
            assert (type(edited), edited.message.message) == (types.UpdateEditMessage, "STOP")
            assert found.state.pts == pts + 5

    run(scenario())


def test_it_comes_in_parts(box: TelegramBox) -> None:
    box.control("PATCH", "/mtproto/settings", {"difference_slice": 4})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            pts, texts, parts = await position(ann), [], []
            for number in range(10):
                box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": f"m{number}"})
            while True:
                found = await difference(ann, pts)
                parts.append(type(found).__name__)
                texts += [message.message for message in found.new_messages]
                if isinstance(found, types.updates.Difference):
                    break
                pts = found.intermediate_state.pts
            assert texts == [f"m{number}" for number in range(10)]
            assert parts == ["DifferenceSlice", "DifferenceSlice", "Difference"]
            assert isinstance(await difference(ann, found.state.pts), types.updates.DifferenceEmpty)

    run(scenario())


@pytest.mark.parametrize("by_client", [False, True])
def test_it_is_too_long_beyond_a_limit(box: TelegramBox, by_client: bool) -> None:
    if not by_client:
        box.control("PATCH", "/mtproto/settings", {"difference_limit": 5})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            pts = await position(ann)
            for number in range(6):
                box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": f"m{number}"})
            found = await difference(ann, pts, **({"pts_total_limit": 5} if by_client else {}))
            assert isinstance(found, types.updates.DifferenceTooLong)
            assert found.pts == pts + 6
            peer = types.InputDialogPeer(await find(ann, BOB))
            [dialog] = (await ann(functions.messages.GetPeerDialogsRequest([peer]))).dialogs
            assert (dialog.unread_count, dialog.read_inbox_max_id) == (6, 0)

    run(scenario())


def test_a_position_that_is_none_is_refused(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            with pytest.raises(errors.PersistentTimestampEmptyError):
                await difference(ann, 0)

    run(scenario())


def test_a_push_that_is_lost_is_only_in_the_difference(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN, receive_updates=True)
            heard = Heard(ann, events.Raw(types.UpdateNewMessage))
            pts = await position(ann)
            box.control("POST", "/mtproto/faults", {"kind": "lose_push", "account": ANN, "peer": BOB, "count": 1})
            box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Lost"})
            assert [each.message for each in (await difference(ann, pts)).new_messages] == ["Lost"]
            assert not heard
            box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Heard"})
            # The client sees the gap, and fetches what is between by itself.
            await until(lambda: [each.message.message for each in heard] == ["Lost", "Heard"])

    run(scenario())


def test_a_push_that_comes_twice_is_one_change(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            heard = Heard(ann, incoming=True)
            pts = await position(ann)
            box.control("POST", "/mtproto/faults", {"kind": "repeat_push", "account": ANN})
            for text in ("One", "Two"):
                box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": text})
            await heard.wait(2)
            found = await difference(ann, pts)
            assert [message.message for message in found.new_messages] == ["One", "Two"]
            assert [each.raw_text for each in heard] == ["One", "Two"]

    run(scenario())


def _connections(box: TelegramBox) -> int:
    return len(box.control("GET", "/mtproto/log", outcome="connected")["entries"])


@pytest.mark.parametrize("told", [True, False])
def test_a_client_that_comes_back_is_told_only_where_that_is_set(box: TelegramBox, told: bool) -> None:
    box.control("PATCH", "/mtproto/settings", {"too_long_on_return": told})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            heard = Heard(ann, incoming=True)
            box.control("POST", "/mtproto/faults", {"kind": "lose_push", "count": 1})
            box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Meanwhile"})
            box.control("POST", f"/accounts/{ANN}/cut")
            await until(lambda: _connections(box) == 2)
            assert (await ann.get_me()).first_name == "Ann"
            if told:
                await heard.wait()
            assert [each.raw_text for each in heard] == (["Meanwhile"] if told else [])

    run(scenario())


def test_a_client_that_wants_no_updates_gets_none(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN, receive_updates=False)
            heard = Heard(ann, events.Raw)
            box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Hello"})
            await ann(functions.updates.GetStateRequest())
            assert not heard

    run(scenario())
