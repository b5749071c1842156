"""What people do, and what bots hear of it: links, blocking, groups, topics, buttons."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.telegram_box import BoxError, TelegramBox

JSON = dict[str, Any]
BOT = "switchboard_demo_bot"


def heard(box: TelegramBox, kind: str) -> list[JSON]:
    """What waits for the first bot, of one kind."""
    return [update[kind] for update in box.updates() if kind in update]


# ---- links


@pytest.mark.parametrize("payload", ["a", "abc_123-XYZ", "A" * 64])
def test_a_payload_is_passed_on(box: TelegramBox, payload: str) -> None:
    mina = box.person("Mina")
    message = box.open_link(mina, f"https://t.me/{BOT}?start={payload}")
    assert message["text"] == f"/start {payload}"
    assert message["entities"] == [{"offset": 0, "length": 6, "type": "bot_command"}]
    assert heard(box, "message") == [message]


@pytest.mark.parametrize("payload", ["", "a.b", "a b", "A" * 65, "한", "a%2Fb", "a=b", "%0A", "a%0A"])
def test_a_payload_that_telegram_drops_silently(box: TelegramBox, payload: str) -> None:
    mina = box.person("Mina")
    assert box.open_link(mina, f"https://t.me/{BOT}?start={payload}")["text"] == "/start"
    if "%" not in payload:
        assert box.start(mina, payload=payload)["text"] == "/start"


@pytest.mark.parametrize(
    "link",
    [
        "https://t.me/{bot}?start=abc",
        "http://telegram.me/{bot}/?start=abc",
        "tg://resolve?domain={bot}&start=abc",
        "/{bot}?start=abc",
        "/t/{bot}?start=abc",
        "https://t.me/{upper}?start=abc",
    ],
)
def test_ways_of_writing_a_link(box: TelegramBox, link: str) -> None:
    mina = box.person("Mina")
    assert box.open_link(mina, link.format(bot=BOT, upper=BOT.upper()))["text"] == "/start abc"


@pytest.mark.parametrize("link", ["https://t.me/", "https://t.me/a b", "https://t.me/nobody_bot?start=a"])
def test_links_to_no_bot(box: TelegramBox, link: str) -> None:
    mina = box.person("Mina")
    with pytest.raises(BoxError):
        box.open_link(mina, link)


def test_a_startgroup_link(box: TelegramBox) -> None:
    mina = box.person("Mina")
    group = box.group("Team", creator=mina)
    message = box.open_link(mina, f"https://t.me/{BOT}?startgroup=abc", chat=group)
    assert message["text"] == f"/start@{BOT} abc"
    assert heard(box, "my_chat_member")[0]["new_chat_member"]["status"] == "member"
    assert heard(box, "message")[-1]["chat"]["title"] == "Team"
    with pytest.raises(BoxError, match="which group"):
        box.open_link(mina, f"https://t.me/{BOT}?startgroup=abc")


# ---- blocking


def test_blocking_is_heard_as_kicked_and_unblocking_as_member(box: TelegramBox, mina: JSON) -> None:
    box.block(mina)
    box.block(mina)
    box.unblock(mina)
    blocked, unblocked = heard(box, "my_chat_member")
    for change, status in ((blocked, "kicked"), (unblocked, "member")):
        assert change["new_chat_member"]["status"] == status
        assert change["chat"] == {"id": mina["id"], "first_name": "Mina", "username": "mina_park", "type": "private"}
        assert change["from"]["id"] == mina["id"]
    assert blocked["old_chat_member"]["status"] == "member"


def test_start_unblocks(box: TelegramBox, mina: JSON) -> None:
    box.block(mina)
    with pytest.raises(BoxError, match="blocked the bot"):
        box.say(mina, "Hello")
    box.start(mina, payload="again")
    assert [change["new_chat_member"]["status"] for change in heard(box, "my_chat_member")] == ["kicked", "member"]
    assert box.call("sendMessage", chat_id=mina["id"], text="Welcome back")["ok"]


def test_a_deleted_account_does_nothing_more(box: TelegramBox, mina: JSON) -> None:
    box.change_person(mina, deactivated=True)
    with pytest.raises(BoxError, match="deleted"):
        box.say(mina, "Hello")


# ---- groups


def test_joining_and_leaving_a_group(box: TelegramBox, mina: JSON) -> None:
    group = box.group("Team", creator=mina, bots=[BOT])
    assert box.call("getChat", chat_id=group["id"])["result"]["title"] == "Team"
    assert box.call("getChatMemberCount", chat_id=group["id"])["result"] == 2
    admins = box.call("getChatAdministrators", chat_id=group["id"])["result"]
    assert [(admin["user"]["id"], admin["status"]) for admin in admins] == [(mina["id"], "creator")]
    member = box.call("getChatMember", chat_id=group["id"], user_id=mina["id"])["result"]
    assert member["status"] == "creator"
    assert box.call("leaveChat", chat_id=group["id"])["ok"]
    statuses = [change["new_chat_member"]["status"] for change in heard(box, "my_chat_member")]
    assert statuses == ["member", "left"]
    assert box.call("getChat", chat_id=group["id"])["description"].startswith("Forbidden: bot is not a member of")


def test_privacy_mode(box: TelegramBox, mina: JSON) -> None:
    group = box.group(type="supergroup", creator=mina, bots=[BOT])
    sent = box.call("sendMessage", chat_id=group["id"], text="Well?")["result"]
    before = len(heard(box, "message"))
    for text in ("Good morning", "/start@other_demo_bot", f"@{BOT} hello"):
        box.say(mina, text, chat=group)
    box.say(mina, "/start", chat=group)
    box.say(mina, f"/start@{BOT} abc", chat=group)
    box.say(mina, "Yes", chat=group, reply_to=sent["message_id"])
    assert [one["text"] for one in heard(box, "message")[before:]] == ["/start", f"/start@{BOT} abc", "Yes"]
    box.member(group, BOT, "administrator")
    box.say(mina, "Good evening", chat=group)
    assert heard(box, "message")[-1]["text"] == "Good evening"


def test_a_group_becomes_a_supergroup(box: TelegramBox, mina: JSON) -> None:
    group = box.group("Team", creator=mina, bots=[BOT])
    box.call("sendMessage", chat_id=group["id"], text="Before")
    new = box.migrate(group)
    assert new["type"] == "supergroup"
    assert str(new["id"]).startswith("-100")
    away, back = heard(box, "message")[-2:]
    assert (away["chat"]["id"], away["migrate_to_chat_id"]) == (group["id"], new["id"])
    assert (back["chat"]["id"], back["migrate_from_chat_id"]) == (new["id"], group["id"])
    assert box.call("sendMessage", chat_id=new["id"], text="After")["result"]["chat"]["title"] == "Team"
    assert box.call("getChatMemberCount", chat_id=new["id"])["result"] == 2
    with pytest.raises(BoxError) as refused:
        box.migrate(group)
    assert refused.value.status == 409
    with pytest.raises(BoxError, match="upgraded"):
        box.say(mina, "/start", chat=group)


def test_a_reply_in_a_supergroup_carries_a_thread_that_is_no_topic(box: TelegramBox, mina: JSON) -> None:
    group = box.group(type="supergroup", creator=mina, bots=[BOT])
    sent = box.call("sendMessage", chat_id=group["id"], text="Well?")["result"]
    reply = box.say(mina, "Yes", chat=group, reply_to=sent["message_id"])
    assert reply["message_thread_id"] == sent["message_id"]
    assert "is_topic_message" not in reply


def test_topics_and_their_service_messages(box: TelegramBox, mina: JSON) -> None:
    forum = box.group(type="supergroup", is_forum=True, creator=mina, bots=[BOT])
    topic = box.topic(forum, "Alerts")["id"]
    reply = box.say(mina, "/start", chat=forum, thread_id=topic)
    assert (reply["message_thread_id"], reply["is_topic_message"]) == (topic, True)
    box.change_topic(forum, topic, closed=True)
    box.change_topic(forum, topic, closed=False)
    box.change_topic(forum, topic, name="Alarms")
    kinds = ("forum_topic_created", "forum_topic_closed", "forum_topic_reopened", "forum_topic_edited")
    services = [next((kind for kind in kinds if kind in one), "") for one in heard(box, "message")]
    assert [service for service in services if service] == list(kinds)
    with pytest.raises(BoxError) as refused:
        box.say(mina, "/start", chat=forum, thread_id=999)
    assert refused.value.status == 404


def test_a_channel(box: TelegramBox, mina: JSON) -> None:
    channel = box.group("News", type="channel", creator=mina, bots=[BOT])
    box.say(mina, "Today", chat=channel)
    post = heard(box, "channel_post")[0]
    assert post["sender_chat"]["title"] == "News"
    assert "from" not in post
    assert box.call("sendMessage", chat_id=channel["id"], text="More")["result"]["sender_chat"]["title"] == "News"


def test_an_anonymous_administrator(box: TelegramBox, mina: JSON) -> None:
    group = box.group("Team", type="supergroup", creator=mina, anonymous=[mina], bots=[BOT])
    message = box.say(mina, "/start", chat=group)
    assert message["from"]["username"] == "GroupAnonymousBot"
    assert message["sender_chat"]["id"] == group["id"]


# ---- messages and buttons


def test_edits_and_forwards_are_heard(box: TelegramBox, mina: JSON) -> None:
    said = box.say(mina, "Helo")
    box.edit(mina, said["message_id"], "Hello")
    edited = heard(box, "edited_message")[0]
    assert (edited["message_id"], edited["text"]) == (said["message_id"], "Hello")
    forwarded = box.forward(mina, said["message_id"])
    assert forwarded["forward_origin"]["sender_user"]["id"] == mina["id"]
    assert forwarded["text"] == "Hello"


def test_a_pressed_button(box: TelegramBox, mina: JSON) -> None:
    row = [{"text": "Yes", "callback_data": "y"}, {"text": "No", "callback_data": "n"}, {"text": "Go", "url": "t.me/x"}]
    markup = {"inline_keyboard": [row]}
    sent = box.call("sendMessage", chat_id=mina["id"], text="Well?", reply_markup=markup)["result"]
    pressed = [box.press(mina, sent, data="y"), box.press(mina, sent, text="No")]
    queries = heard(box, "callback_query")
    assert [(query["id"], query["data"]) for query in queries] == list(zip(pressed, "yn", strict=True))
    assert queries[0]["message"]["message_id"] == sent["message_id"]
    assert queries[0]["from"]["id"] == mina["id"]
    for wish, words in (({"data": "maybe"}, "button"), ({}, "button"), ({"text": "Go"}, "opens an address")):
        with pytest.raises(BoxError, match=words):
            box.press(mina, sent, **wish)
    stranger = box.person("Stranger")
    group = box.group(creator=mina, bots=[BOT])
    sent = box.call("sendMessage", chat_id=group["id"], text="Well?", reply_markup=markup)["result"]
    with pytest.raises(BoxError, match="not in the chat"):
        box.press(stranger, sent, data="y", chat=group)


def test_reply_keyboards_are_kept_for_the_phone(box: TelegramBox, mina: JSON) -> None:
    box.call("sendMessage", chat_id=mina["id"], text="Well?", reply_markup={"keyboard": [["Yes", {"text": "No"}]]})
    assert box.last_message(mina)["keyboard"] == {"keyboard": [[{"text": "Yes"}, {"text": "No"}]]}


def test_commands_per_scope_and_language(box: TelegramBox) -> None:
    commands = [{"command": "start", "description": "Begin"}]
    korean = [{"command": "start", "description": "시작"}]
    assert box.call("setMyCommands", commands=commands)["ok"]
    assert box.call("setMyCommands", commands=korean, language_code="ko", scope={"type": "all_private_chats"})["ok"]
    assert box.call("getMyCommands")["result"] == commands
    assert box.call("getMyCommands", language_code="ko")["result"] == []
    scope: JSON = {"language_code": "ko", "scope": {"type": "all_private_chats"}}
    assert box.call("getMyCommands", **scope)["result"] == korean
    assert box.call("deleteMyCommands")["ok"]
    assert box.call("getMyCommands")["result"] == []
    assert box.call("getMyCommands", **scope)["result"] == korean


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ([{"command": "Start", "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "a" * 33, "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "start", "description": ""}], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([{"command": "start", "description": "x" * 257}], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([{"command": "start", "description": "x"}] * 101, "BOT_COMMANDS_TOO_MUCH"),
    ],
)
def test_commands_that_cannot_be(box: TelegramBox, commands: list[JSON], words: str) -> None:
    assert box.call("setMyCommands", commands=commands)["description"] == f"Bad Request: {words}"
