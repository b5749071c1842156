"""Logging in: every way the code comes, passwords, data centers, and how logins end."""

from __future__ import annotations

import asyncio

import pytest
from telethon import TelegramClient, errors, events, password
from telethon.sessions import StringSession
from telethon.tl import functions, types

from tests.simulator.mtproto.clients import API_HASH, API_ID, Clients, Heard, find, run, until
from tests.simulator.mtproto.conftest import ANN, BOB, CYD
from tests.support.telegram_box import TelegramBox


def ask(phone: str) -> functions.auth.SendCodeRequest:
    return functions.auth.SendCodeRequest(phone, API_ID, API_HASH, types.CodeSettings())


def test_a_password_is_asked_for_and_proven(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            await client.send_code_request(CYD)
            with pytest.raises(errors.SessionPasswordNeededError):
                await client.sign_in(CYD, clients.code(CYD))
            assert (await client(functions.account.GetPasswordRequest())).hint == "as ever"
            with pytest.raises(errors.PasswordHashInvalidError):
                await client.sign_in(password="hunter3")
            assert not await client.is_user_authorized()
            client._authorized = None
            me = await client.sign_in(password="hunter2")
            assert me.first_name == "Cyd"

    run(scenario())


def test_a_proof_is_good_for_one_try(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            await client.send_code_request(CYD)
            with pytest.raises(errors.SessionPasswordNeededError):
                await client.sign_in(CYD, clients.code(CYD))
            begun = await client(functions.account.GetPasswordRequest())
            for expected in (errors.PasswordHashInvalidError, errors.SrpIdInvalidError):
                with pytest.raises(expected):
                    await client(functions.auth.CheckPasswordRequest(password.compute_check(begun, "wrong")))

    run(scenario())


@pytest.mark.parametrize("phone", ["+12025550199", "+0"])
def test_a_number_without_an_account_is_refused(box: TelegramBox, phone: str) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            with pytest.raises(errors.PhoneNumberInvalidError):
                await client.send_code_request(phone)

    run(scenario())


def test_a_banned_number_is_refused(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{ANN}", {"banned": True})

    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            with pytest.raises(errors.PhoneNumberBannedError):
                await client.send_code_request(ANN)

    run(scenario())


def test_a_code_by_mail(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{ANN}", {"login": "email", "email": "ann@example.com"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            sent = await client(ask(ANN))
            assert isinstance(sent.type, types.auth.SentCodeTypeEmailCode)
            assert sent.type.email_pattern == "a***n@example.com"
            with pytest.raises(errors.PhoneCodeEmptyError):
                await client(functions.auth.SignInRequest(ANN, sent.phone_code_hash, clients.code(ANN)))
            by_mail = types.EmailVerificationCode(clients.code(ANN))
            done = await client(functions.auth.SignInRequest(ANN, sent.phone_code_hash, email_verification=by_mail))
            assert done.user.first_name == "Ann"

    run(scenario())
    assert box.control("GET", f"/accounts/{ANN}/codes")["codes"][0]["via"] == "email"
    texts = [each["text"] for each in box.control("GET", f"/accounts/{ANN}/chats/777000")["messages"]]
    assert not any(text.startswith("Login code") for text in texts)


@pytest.mark.parametrize(
    ("way", "kind"),
    [("email_setup", types.auth.SentCodeTypeSetUpEmailRequired), ("sms", types.auth.SentCodeTypeSms)],
)
def test_other_ways_of_a_code(box: TelegramBox, way: str, kind: type) -> None:
    box.control("PATCH", f"/accounts/{ANN}", {"login": way})

    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            assert isinstance((await client(ask(ANN))).type, kind)

    run(scenario())


def test_a_code_that_has_to_be_paid_for(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{ANN}", {"login": "payment"})

    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            assert isinstance(await client(ask(ANN)), types.auth.SentCodePaymentRequired)

    run(scenario())


def test_a_code_is_sent_again_by_sms_and_only_the_new_one_counts(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            sent = await client(ask(ANN))
            old = clients.code(ANN)
            again = await client(functions.auth.ResendCodeRequest(ANN, sent.phone_code_hash))
            assert isinstance(again.type, types.auth.SentCodeTypeSms)
            assert again.phone_code_hash == sent.phone_code_hash
            new = clients.code(ANN)
            if old != new:
                with pytest.raises(errors.PhoneCodeInvalidError):
                    await client(functions.auth.SignInRequest(ANN, sent.phone_code_hash, old))
            await client(functions.auth.SignInRequest(ANN, sent.phone_code_hash, new))

    run(scenario())


def test_a_code_is_too_old_after_its_time(box: TelegramBox) -> None:
    box.control("PATCH", "/mtproto/settings", {"code_lifetime": 0.001})

    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            sent = await client(ask(ANN))
            await asyncio.sleep(1.1)  # codes are dated in whole seconds
            with pytest.raises(errors.PhoneCodeExpiredError):
                await client(functions.auth.SignInRequest(ANN, sent.phone_code_hash, clients.code(ANN)))

    run(scenario())


def test_a_code_that_its_owner_writes_into_a_chat_is_good_for_nothing(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            sent = await client(ask(ANN))
            box.control("POST", f"/accounts/{ANN}/say", {"chat": BOB, "text": f"it is {clients.code(ANN)}"})
            with pytest.raises(errors.PhoneCodeExpiredError):
                await client(functions.auth.SignInRequest(ANN, sent.phone_code_hash, clients.code(ANN)))

    run(scenario())


def test_a_client_is_sent_to_the_data_center_of_the_account(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{ANN}", {"dc": 4})

    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected(StringSession())
            await client.send_code_request(ANN)
            assert client.session.dc_id == 4
            saved = client.session.save()
            await client.disconnect()
            again = await clients.connected(StringSession(saved))
            code = clients.code(ANN)
            hash_ = box.control("GET", f"/accounts/{ANN}/codes")["codes"][-1]["hash"]
            await again(functions.auth.SignInRequest(ANN, hash_, code))
            assert (await again.get_me()).first_name == "Ann"

    run(scenario())
    entries = box.control("GET", "/mtproto/log", method="auth.sendCode")["entries"]
    assert [(entry["outcome"], entry.get("error")) for entry in entries] == [
        ("rejected", "PHONE_MIGRATE_4"),
        ("accepted", None),
    ]


@pytest.mark.parametrize("dc", [2, 5])
def test_a_login_by_a_picture_that_the_phone_scans(box: TelegramBox, dc: int) -> None:
    box.control("PATCH", f"/accounts/{ANN}", {"dc": dc})

    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            picture = await client.qr_login()
            waiting = asyncio.create_task(picture.wait(60))
            await asyncio.sleep(0)
            box.control("POST", f"/accounts/{ANN}/scan", {"link": picture.url})
            assert (await waiting).first_name == "Ann"
            assert (await client.get_me()).phone == ANN[1:]

    run(scenario())


def test_a_picture_is_accepted_by_another_client_once(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, client = await clients.logged_in(ANN), await clients.connected()
            picture = await client.qr_login()
            waiting = asyncio.create_task(picture.wait(60))
            await ann(functions.auth.AcceptLoginTokenRequest(picture.token))
            assert (await waiting).first_name == "Ann"
            with pytest.raises(errors.AuthTokenInvalidError):
                await ann(functions.auth.AcceptLoginTokenRequest(b"0123456789abcdef"))

    run(scenario())


def test_a_picture_of_an_account_with_a_password(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            client = await clients.connected()
            picture = await client.qr_login()
            waiting = asyncio.create_task(picture.wait(60))
            await asyncio.sleep(0)
            box.control("POST", f"/accounts/{CYD}/scan", {"link": picture.url})
            with pytest.raises(errors.SessionPasswordNeededError):
                await waiting
            assert (await client.sign_in(password="hunter2")).first_name == "Cyd"

    run(scenario())


def test_a_login_ends_by_itself_some_time_after_it(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{ANN}", {"revoke_after_login": 0.2})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            await until(lambda: not box.control("GET", f"/accounts/{ANN}/logins")["logins"])
            with pytest.raises(errors.SessionRevokedError):
                await ann(functions.updates.GetStateRequest())
            assert await ann.get_me() is None

    run(scenario())


def test_a_login_that_has_to_be_confirmed(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            first = await clients.logged_in(ANN)
            told = Heard(first, events.Raw(types.UpdateNewAuthorization))
            box.control("PATCH", f"/accounts/{ANN}", {"unconfirmed_logins": True})
            second = await clients.logged_in(ANN)
            await told.wait()
            assert told[0].unconfirmed
            own = (await second(functions.account.GetAuthorizationsRequest())).authorizations
            assert [(each.current, each.unconfirmed) for each in own] == [(True, True), (False, False)]
            assert own[0].device_model
            assert box.control("POST", f"/accounts/{ANN}/confirm") == {"confirmed": 1}
            own = (await second(functions.account.GetAuthorizationsRequest())).authorizations
            assert not own[0].unconfirmed
            await first(functions.account.ResetAuthorizationRequest(told[0].hash))
            with pytest.raises(errors.SessionRevokedError):
                await second(functions.updates.GetStateRequest())

    run(scenario())


def test_who_logged_out_is_nobody(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            session = StringSession(ann.session.save())
            assert await ann.log_out()
            again: TelegramClient = await clients.connected(session)
            assert not await again.is_user_authorized()
            with pytest.raises(errors.AuthKeyUnregisteredError):
                await find(again, BOB)

    run(scenario())
