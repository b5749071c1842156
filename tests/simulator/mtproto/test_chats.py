"""What stands in private chats, as both sides see it: texts, files, edits, deletions, reactions, reading."""

from __future__ import annotations

import base64
import io
import secrets

import pytest
import requests
from telethon import errors, events
from telethon.tl import functions, types

from tests.simulator.mtproto.clients import Clients, Heard, find, run, until
from tests.simulator.mtproto.conftest import ANN, BOB
from tests.simulator.wire import png
from tests.support.telegram_box import TelegramBox


@pytest.mark.parametrize("short", [True, False])
def test_a_formatted_answer_to_a_message(box: TelegramBox, short: bool) -> None:
    box.control("PATCH", "/mtproto/settings", {"short_answers": short})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            heard = Heard(bob, incoming=True)
            target = await find(ann, BOB)
            first = await ann.send_message(target, "First")
            sent = await ann.send_message(target, "**Bold** text", reply_to=first.id)
            assert (sent.text, sent.out) == ("**Bold** text", True)
            await heard.wait(2)
            assert heard[1].raw_text == "Bold text"
            assert isinstance(heard[1].message.entities[0], types.MessageEntityBold)
            assert heard[1].message.reply_to.reply_to_msg_id == heard[0].message.id

    run(scenario())


@pytest.mark.parametrize("size", [100, 300_000, 11_000_000])
def test_a_file_is_sent_and_fetched(box: TelegramBox, size: int) -> None:
    data = secrets.token_bytes(size)

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            heard = Heard(bob, incoming=True)
            file = io.BytesIO(data)
            file.name = "plan.pdf"
            sent = await ann.send_file(await find(ann, BOB), file, caption="The plan", force_document=True)
            assert (sent.document.size, sent.message) == (size, "The plan")
            await heard.wait()
            assert heard[0].file.name == "plan.pdf"
            assert await heard[0].download_media(bytes) == data
            again = await bob.send_file(await find(bob, ANN), heard[0].document)
            assert again.document.id == sent.document.id

    run(scenario())


def test_a_file_of_which_a_part_is_missing_is_refused(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            await ann(functions.upload.SaveFilePartRequest(9, 0, b"x" * 1024))
            media = types.InputMediaUploadedDocument(types.InputFile(9, 2, "a.txt", ""), "text/plain", [])
            with pytest.raises(errors.BadRequestError):
                await ann(functions.messages.SendMediaRequest(await find(ann, BOB), media, "", random_id=4))

    run(scenario())


@pytest.mark.parametrize("kind", ["document", "photo", "voice", "audio", "video"])
def test_a_person_sends_a_file_of_a_kind(box: TelegramBox, kind: str) -> None:
    content = base64.b64encode(png()).decode()
    file = {"content": content, "file_name": "a.png", "mime_type": "image/png", "caption": "See", "kind": kind}

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            heard = Heard(ann, incoming=True)
            box.control("POST", f"/accounts/{BOB}/file", {"chat": ANN, **file})
            await heard.wait()
            message = heard[0].message
            assert message.message == "See"
            assert getattr(message, kind) is not None
            assert await heard[0].download_media(bytes) == png()

    run(scenario())
    [shown] = box.control("GET", f"/accounts/{ANN}/chats/{BOB}")["messages"]
    name = "photo" if kind == "photo" else "document"
    [part] = shown[name] if kind == "photo" else [shown[name]]
    answer = requests.get(f"{box.url}/control/files/{part['file_id']}", timeout=60)
    assert answer.content == png()
    assert answer.headers["Content-Type"] == ("image/png" if kind == "photo" else "application/octet-stream")


def test_a_client_sends_a_photo(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            file = io.BytesIO(png())
            file.name = "a.png"
            sent = await ann.send_file(await find(ann, BOB), file, caption="See")
            assert sent.photo.sizes[0].size == len(png())
            assert await sent.download_media(bytes) == png()
            file = io.BytesIO(b"no picture at all")
            file.name = "b.png"
            uploaded = types.InputMediaUploadedPhoto(await ann.upload_file(file))
            with pytest.raises(errors.PhotoExtInvalidError):
                await ann(functions.messages.SendMediaRequest(await find(ann, BOB), uploaded, "", random_id=9))

    run(scenario())


def test_a_call_is_a_message_without_text(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            heard = Heard(ann, events.Raw(types.UpdateNewMessage))
            box.control("POST", f"/accounts/{BOB}/call", {"chat": ANN})
            await heard.wait()
            message = heard[0].message
            assert isinstance(message, types.MessageService)
            assert isinstance(message.action, types.MessageActionPhoneCall)
            [found] = await ann.get_messages(await find(ann, BOB))
            assert found.id == message.id

    run(scenario())


def test_edits_reach_the_other_side(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            edits = Heard(bob, events.MessageEdited)
            target = await find(ann, BOB)
            sent = await ann.send_message(target, "Tommorow")
            await ann.edit_message(target, sent.id, "Tomorrow")
            await edits.wait()
            assert edits[0].raw_text == "Tomorrow"
            with pytest.raises(errors.MessageNotModifiedError):
                await ann.edit_message(target, sent.id, "Tomorrow")
            theirs = box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "Good"})
            own_edits = Heard(ann, events.MessageEdited)
            box.control("POST", f"/accounts/{BOB}/edit", {"message_id": theirs["id"], "text": "Very good"})
            await own_edits.wait()
            assert own_edits[0].raw_text == "Very good"
            with pytest.raises(errors.MessageAuthorRequiredError):
                await ann.edit_message(target, own_edits[0].message.id, "Bad")

    run(scenario())


def test_a_reaction_comes_as_an_edit_that_is_hidden(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            heard = Heard(ann, events.Raw(types.UpdateEditMessage))
            sent = await ann.send_message(await find(ann, BOB), "Deal?")
            [theirs] = box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"]
            box.control("POST", f"/accounts/{BOB}/react", {"message_id": theirs["id"], "emoji": "👍"})
            await heard.wait()
            message = heard[0].message
            assert (message.id, message.message, message.edit_hide, message.edit_date) == (sent.id, "Deal?", True, None)
            [reaction] = message.reactions.recent_reactions
            assert reaction.reaction.emoticon == "👍"
            assert reaction.peer_id.user_id == box.control("GET", f"/accounts/{BOB}")["id"]
            box.control("POST", f"/accounts/{BOB}/react", {"message_id": theirs["id"], "emoji": ""})
            await heard.wait(2)
            assert heard[1].message.reactions is None

    run(scenario())


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("everywhere", [False, True])
def test_deletions_reach_the_other_side_where_they_should(box: TelegramBox, whole: bool, everywhere: bool) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            sent = [await ann.send_message(target, text) for text in ("One", "Two")]
            gone = Heard(ann, events.MessageDeleted)
            theirs = box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"]
            if whole:
                box.control("POST", f"/accounts/{BOB}/delete-chat", {"chat": ANN, "everywhere": everywhere})
            else:
                body = {"message_ids": [theirs[0]["id"]], "everywhere": everywhere}
                box.control("POST", f"/accounts/{BOB}/delete", body)
            left = [each["text"] for each in box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"]]
            assert left == ([] if whole else ["Two"])
            if everywhere:
                await gone.wait()
                assert gone[0].deleted_ids == [each.id for each in sent[: 2 if whole else 1]]
                assert await ann.get_messages(target, ids=sent[0].id) is None
            else:
                assert [each.text for each in await ann.get_messages(target, limit=5)] == ["Two", "One"]
                assert not gone

    run(scenario())


def test_a_client_deletes_messages_and_a_chat(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            sent = [await ann.send_message(target, text) for text in ("One", "Two", "Three")]
            before = (await ann(functions.updates.GetStateRequest())).pts
            answer = await ann(functions.messages.DeleteMessagesRequest([sent[0].id, 10_000], revoke=True))
            assert (answer.pts, answer.pts_count) == (before + 1, 1)
            answer = await ann(functions.messages.DeleteHistoryRequest(target, 0, revoke=True))
            assert (answer.pts, answer.pts_count, answer.offset) == (before + 3, 2, 0)
            assert await ann.get_messages(target, limit=5) == []

    run(scenario())
    assert box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"] == []


def test_when_a_message_was_read(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            sent = [await ann.send_message(target, text) for text in ("One", "Two")]
            asked = functions.messages.GetOutboxReadDateRequest(target, sent[0].id)
            with pytest.raises(errors.RPCError, match="MESSAGE_NOT_READ_YET"):
                await ann(asked)
            theirs = box.control("GET", f"/accounts/{BOB}/chats/{ANN}")["messages"]
            read = box.control("POST", f"/accounts/{BOB}/read", {"chat": ANN, "up_to": theirs[0]["id"]})
            assert read == {"read": theirs[0]["id"]}
            assert box.control("POST", f"/accounts/{BOB}/read", {"chat": ANN, "up_to": theirs[0]["id"]}) == {
                "read": None
            }
            assert (await ann(asked)).date is not None
            [dialog] = (await ann(functions.messages.GetPeerDialogsRequest([types.InputDialogPeer(target)]))).dialogs
            assert (dialog.top_message, dialog.read_outbox_max_id) == (sent[1].id, sent[0].id)
            box.control("PATCH", f"/accounts/{BOB}", {"hides_read_time": True})
            with pytest.raises(errors.UserPrivacyRestrictedError):
                await ann(asked)
            box.control("PATCH", f"/accounts/{ANN}", {"hides_read_time": True})
            with pytest.raises(errors.RPCError, match="YOUR_PRIVACY_RESTRICTED"):
                await ann(asked)

    run(scenario())


def test_the_list_of_chats_and_pages_of_one(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            target = await find(ann, BOB)
            for number in range(25):
                await ann.send_message(target, f"m{number}")
            box.control("POST", f"/accounts/{BOB}/say", {"chat": ANN, "text": "stop"})
            dialogs = await ann.get_dialogs()
            assert [(each.name, each.unread_count) for each in dialogs] == [("Bob", 1), ("Telegram", 2)]
            history = await ann.get_messages(target, limit=10, offset_id=dialogs[0].message.id)
            assert [each.text for each in history] == [f"m{number}" for number in range(24, 14, -1)]
            assert history.total == 26
            newer = await ann.get_messages(target, min_id=history[0].id, limit=10)
            assert [each.text for each in newer] == ["stop"]
            oldest_first = [each.text async for each in ann.iter_messages(target, reverse=True, limit=3)]
            assert oldest_first == ["m0", "m1", "m2"]

    run(scenario())


def test_a_long_list_of_chats_comes_in_pages(box: TelegramBox) -> None:
    names = [f"Person {number:03}" for number in range(120)]
    for number, name in enumerate(names):
        phone = f"+1202555{2000 + number}"
        box.control("POST", "/accounts", {"phone": phone, "first_name": name})
        box.control("POST", f"/accounts/{phone}/say", {"chat": ANN, "text": name})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            dialogs = [each.name async for each in ann.iter_dialogs()]
            assert dialogs == ["Telegram", *reversed(names)]

    run(scenario())


def test_an_away_message_answers_by_itself(box: TelegramBox) -> None:
    box.control("PATCH", f"/accounts/{BOB}", {"away_text": "On holiday", "away_bot": 555})

    async def scenario() -> None:
        async with Clients(box) as clients:
            ann = await clients.logged_in(ANN)
            heard = Heard(ann, incoming=True)
            await ann.send_message(await find(ann, BOB), "Hello")
            await heard.wait()
            message = heard[0].message
            assert (message.message, message.offline, message.via_business_bot_id) == ("On holiday", True, 555)

    run(scenario())


def test_typing_and_saved_messages(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            ann, bob = await clients.logged_in(ANN), await clients.logged_in(BOB)
            typing = Heard(bob, events.UserUpdate)
            async with ann.action(await find(ann, BOB), "typing"):
                await typing.wait()
            assert typing[0].typing
            assert (await ann.send_message("me", "to myself")).id
            assert [each.text for each in await ann.get_messages("me", limit=5)] == ["to myself"]

    run(scenario())


def test_another_device_hears_of_what_was_sent(box: TelegramBox) -> None:
    async def scenario() -> None:
        async with Clients(box) as clients:
            phone, desk = await clients.logged_in(ANN), await clients.logged_in(ANN)
            heard, own = Heard(desk, outgoing=True), Heard(phone, outgoing=True)
            sent = await phone.send_message(await find(phone, BOB), "From the phone")
            await heard.wait()
            assert (heard[0].raw_text, heard[0].message.id) == ("From the phone", sent.id)
            await until(lambda: len(heard) == 1)
            assert not own

    run(scenario())
