"""Finding people by number and username, and the account's own contacts."""

from __future__ import annotations

import asyncio

import pytest
from telethon import errors
from telethon.tl import functions, types

from tests.simulator.mtproto.clients import Clients, find, run
from tests.simulator.mtproto.conftest import ANN, BOB, CYD
from tests.support.telegram_box import TelegramBox


def saved(*phones: str) -> functions.contacts.ImportContactsRequest:
    numbered = enumerate(phones)
    return functions.contacts.ImportContactsRequest(
        [types.InputPhoneContact(100 + place, phone, f"Saved {place}", "") for place, phone in numbered]
    )


def test_numbers_are_imported_once(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{CYD}", {"hides_number": True})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            first = await ann(saved(BOB, CYD, "+12025550199"))
            assert [each.client_id for each in first.imported] == [100]
            assert [(each.first_name, each.phone, each.contact) for each in first.users] == [("Saved 0", BOB[1:], True)]
            assert first.retry_contacts == []
            again = await ann(saved(BOB))
            assert (again.imported, [each.first_name for each in again.users]) == ([], ["Saved 0"])
            listed = await ann(functions.contacts.GetContactsRequest(0))
            assert [each.first_name for each in listed.users] == ["Saved 0"]
            await ann(functions.contacts.DeleteContactsRequest([first.users[0]]))
            assert (await ann(functions.contacts.GetContactsRequest(0))).users == []

    run(scenario())


def test_a_limited_account_is_told_to_try_all_of_them_again(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{ANN}", {"import_limited": True})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            answer = await ann(saved(BOB, CYD))
            assert (answer.imported, answer.users, answer.retry_contacts) == ([], [], [100, 101])

    run(scenario())
    assert box.control("GET", f"/accounts/{ANN}")["contacts"] == []


def test_a_username_changes_hands(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            asked = functions.contacts.ResolveUsernameRequest("bob_sim")
            assert (await ann(asked)).users[0].first_name == "Bob"
            box.control("PATCH", f"/accounts/{CYD}", {"username": "bob_sim"})
            assert (await ann(asked)).users[0].first_name == "Cyd"
            box.control("PATCH", f"/accounts/{CYD}", {"username": ""})
            with pytest.raises(errors.UsernameNotOccupiedError):
                await ann(asked)

    run(scenario())
    assert "username" not in box.control("GET", f"/accounts/{BOB}")


def test_people_without_a_number_are_found_by_username(box: TelegramBox) -> None:
    box.person("Dora", username="dora_sim")

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            await ann.send_message("dora_sim", "Hello")
            assert (await ann(functions.users.GetFullUserRequest("dora_sim"))).users[0].first_name == "Dora"

    run(scenario())
    assert box.control("GET", "/accounts/dora_sim/chats/ann_sim")["messages"][0]["text"] == "Hello"


def test_a_person_is_seen_with_number_only_by_contacts(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            [bob] = await ann(functions.users.GetUsersRequest([types.InputUser(target.user_id, target.access_hash)]))
            assert (bob.phone, bob.contact) == (None, False)
            await ann(saved(BOB))
            [bob] = await ann(functions.users.GetUsersRequest([types.InputUser(target.user_id, target.access_hash)]))
            assert (bob.phone, bob.contact, bob.mutual_contact) == (BOB[1:], True, False)
            [wrong] = await ann(functions.users.GetUsersRequest([types.InputUser(target.user_id, 5)]))
            assert isinstance(wrong, types.UserEmpty)

    run(scenario())


def test_a_deleted_account_is_shown_as_such(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            box.control("PATCH", f"/accounts/{BOB}", {"deactivated": True})
            [bob] = await ann(functions.users.GetUsersRequest([types.InputUser(target.user_id, target.access_hash)]))
            assert bob.deleted
            with pytest.raises(errors.PhoneNotOccupiedError):
                await find(ann, BOB)

    run(scenario())


def test_numbers_are_looked_up_at_a_pace(box: TelegramBox) -> None:
    box.control("PATCH", "/mtproto/settings", {"lookup_interval": 3})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            await find(ann, BOB)
            with pytest.raises(errors.FloodWaitError) as raised:
                await find(ann, CYD)
            assert raised.value.seconds in (1, 2, 3)
            await find(bob, CYD)
            ann._flood_waited_requests.clear()
            await asyncio.sleep(3.1)
            await find(ann, CYD)

    run(scenario())
