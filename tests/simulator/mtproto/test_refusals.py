"""Whom an account may write to, and what it is told when it may not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions, types

from tests.simulator.mtproto.clients import Clients, find, run
from tests.simulator.mtproto.conftest import ANN, BOB, CYD
from tests.support.telegram_box import TelegramBox

REFUSED: list[tuple[dict[str, Any], dict[str, Any], type[Exception], str]] = [
    ({"limited": "strangers"}, {}, errors.PeerFloodError, "PEER_FLOOD"),
    ({"limited": "all"}, {}, errors.UserRestrictedError, "USER_RESTRICTED"),
    ({}, {"accepts": "nobody"}, errors.UserPrivacyRestrictedError, "USER_PRIVACY_RESTRICTED"),
    ({}, {"accepts": "premium"}, errors.ForbiddenError, "PRIVACY_PREMIUM_REQUIRED"),
    ({}, {"accepts": "premium", "refusal_code": 406}, errors.AuthKeyError, "PRIVACY_PREMIUM_REQUIRED"),
    ({}, {"accepts": "paid", "stars": 250}, errors.ForbiddenError, "ALLOW_PAYMENT_REQUIRED_250"),
    ({}, {"accepts": "paid", "stars": 250, "refusal_code": 406}, errors.AuthKeyError, "ALLOW_PAYMENT_REQUIRED"),
    ({}, {"deactivated": True}, errors.InputUserDeactivatedError, "INPUT_USER_DEACTIVATED"),
]


@pytest.mark.parametrize(("own", "theirs", "error", "name"), REFUSED, ids=[f"{each[3]}-{each[1]}" for each in REFUSED])
def test_a_first_message_is_refused(
    box: TelegramBox, own: dict[str, Any], theirs: dict[str, Any], error: type[Exception], name: str
) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            box.control("PATCH", f"/accounts/{ANN}", own)
            box.control("PATCH", f"/accounts/{BOB}", theirs)
            with pytest.raises(error):
                await ann(functions.messages.SendMessageRequest(target, "Hello", random_id=3))
            assert box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"] == []

    run(scenario())
    [entry] = box.control("GET", "/mtproto/log", method="messages.sendMessage")["entries"]
    assert (entry["outcome"], entry["error"], entry["message_id"]) == ("rejected", name, None)


@pytest.mark.parametrize("own", [{"limited": "strangers"}, {}])
@pytest.mark.parametrize("theirs", [{"accepts": "nobody"}, {"accepts": "premium"}, {"accepts": "paid", "stars": 5}, {}])
def test_whoever_wrote_first_is_answered(box: TelegramBox, own: dict[str, Any], theirs: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "A question"})
            box.control("PATCH", f"/accounts/{ANN}", own)
            box.control("PATCH", f"/accounts/{BOB}", theirs)
            assert (await ann.send_message(target, "An answer")).id

    run(scenario())


def test_what_a_first_message_needs_is_told_in_bulk_and_may_be_paid(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{BOB}", {"accepts": "paid", "stars": 20})
    box.control("PATCH", f"/accounts/{CYD}", {"accepts": "premium"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            bob, cyd = await find(ann, BOB), await find(ann, CYD)
            wanted = await ann(functions.users.GetRequirementsToContactRequest([bob, cyd, types.InputUserSelf()]))
            assert [type(each) for each in wanted] == [
                types.RequirementToContactPaidMessages,
                types.RequirementToContactPremium,
                types.RequirementToContactEmpty,
            ]
            assert wanted[0].stars_amount == 20
            await ann(functions.messages.SendMessageRequest(bob, "Paid", random_id=1, allow_paid_stars=20))
            box.control("PATCH", f"/accounts/{ANN}", {"is_premium": True})
            await ann.send_message(cyd, "With Premium")

    run(scenario())


def test_a_frozen_account_reads_and_does_not_act(box: TelegramBox) -> None:
    since = int(time.time())

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            await ann.send_message(target, "Before")
            frozen = {"frozen_since": since, "frozen_until": since + 86_400, "appeal_url": "https://t.me/spambot"}
            box.control("PATCH", f"/accounts/{ANN}", frozen)
            for act in (ann.send_message(target, "After"), find(ann, CYD)):
                with pytest.raises(errors.FrozenMethodInvalidError):
                    await act
            assert [message.text for message in await ann.get_messages(target)] == ["Before"]
            assert (await ann.get_me()).first_name == "Ann"
            config = (await ann(functions.help.GetAppConfigRequest(0))).config.value
            told = {each.key: each.value.value for each in config if each.key.startswith("freeze")}
            assert told == {
                "freeze_since_date": since,
                "freeze_until_date": since + 86_400,
                "freeze_appeal_url": "https://t.me/spambot",
            }
            box.control("PATCH", f"/accounts/{ANN}", {"frozen_since": 0})
            config = (await ann(functions.help.GetAppConfigRequest(0))).config.value
            assert not [each for each in config if each.key.startswith("freeze")]
            await ann.send_message(target, "After")

    run(scenario())


@pytest.mark.parametrize("silent", [True, False])
def test_who_is_blocked_is_told_or_not(box: TelegramBox, silent: bool) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            box.control("PATCH", f"/accounts/{BOB}", {"blocks_silently": silent})
            box.control("POST", f"/accounts/{BOB}/block", {"chat": ANN})
            if silent:
                assert (await ann.send_message(target, "Into the void")).id
                box.control("POST", f"/accounts/{BOB}/read", {"chat": ANN})
            else:
                with pytest.raises(errors.UserIsBlockedError):
                    await ann.send_message(target, "Into the void")
            assert box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"] == []
            dialog = (await ann(functions.messages.GetPeerDialogsRequest([types.InputDialogPeer(target)]))).dialogs[0]
            assert dialog.read_outbox_max_id == 0
            box.control("POST", f"/accounts/{BOB}/unblock", {"chat": ANN})
            await ann.send_message(target, "Hello again")

    run(scenario())
    assert [each["text"] for each in box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"]] == ["Hello again"]


def test_who_blocked_somebody_does_not_write_to_them(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            await ann(functions.contacts.BlockRequest(target))
            with pytest.raises(errors.YouBlockedUserError):
                await ann.send_message(target, "x")
            await ann(functions.contacts.UnblockRequest(target))
            await ann.send_message(target, "x")

    run(scenario())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"message": "   "}, "MESSAGE_EMPTY"),
        ({"message": "x" * 4097}, "MESSAGE_TOO_LONG"),
        ({"message": "😀" * 2049}, "MESSAGE_TOO_LONG"),
        ({"random_id": 0}, "RANDOM_ID_EMPTY"),
        ({"peer": types.InputPeerChat(5)}, "PEER_ID_INVALID"),
    ],
)
def test_a_message_that_is_none_is_refused(box: TelegramBox, changes: dict[str, Any], error: str) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            values = {"peer": await find(ann, BOB), "message": "Hello", "random_id": 5} | changes
            with pytest.raises(errors.RPCError):
                await ann(functions.messages.SendMessageRequest(**values))

    run(scenario())
    [entry] = box.control("GET", "/mtproto/log", method="messages.sendMessage")["entries"]
    assert (entry["outcome"], entry["error"]) == ("rejected", error)
