"""The refusals that decide what a bot does next: each with Telegram's status, its words and its parameters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.wire import OTHER_TOKEN, exchange, method, refusal
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

BOT = "switchboard_demo_bot"
JSON = dict[str, Any]


def send(box: TelegramBox, chat_id: int | str, **more: Any) -> JSON:
    return box.call("sendMessage", chat_id=chat_id, text="Hello", **more)


# ---- 403: the recipient is unreachable


def test_a_person_who_blocked_the_bot(box: TelegramBox, mina: JSON) -> None:
    box.block(mina)
    assert send(box, mina["id"]) == refusal(403, "Forbidden: bot was blocked by the user")
    box.unblock(mina)
    assert send(box, mina["id"])["ok"]


def test_a_deleted_account(box: TelegramBox, mina: JSON) -> None:
    box.change_person(mina, deactivated=True)
    assert send(box, mina["id"]) == refusal(403, "Forbidden: user is deactivated")


def test_a_person_who_never_started_the_bot(box: TelegramBox) -> None:
    stranger = box.person("Stranger")
    answer = send(box, stranger["id"])
    assert answer == refusal(403, "Forbidden: bot can't initiate conversation with a user")


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
def test_a_chat_that_removed_the_bot(box: TelegramBox, mina: JSON, kind: str) -> None:
    chat = box.group(type=kind, creator=mina, bots=[BOT])
    assert send(box, chat["id"])["ok"]
    box.member(chat, BOT, "kicked")
    assert send(box, chat["id"]) == refusal(403, f"Forbidden: bot was kicked from the {kind} chat")
    box.member(chat, BOT, "left")
    assert send(box, chat["id"]) == refusal(403, f"Forbidden: bot is not a member of the {kind} chat")


def test_another_bot_and_the_bot_itself(box: TelegramBox) -> None:
    other, own = int(OTHER_TOKEN.partition(":")[0]), int(DEMO_TOKEN.partition(":")[0])
    assert send(box, other) == refusal(403, "Forbidden: bot can't send messages to bots")
    assert send(box, own) == refusal(403, "Forbidden: bot can't send messages to the bot")


# ---- 400: this target, or this content, will never do


@pytest.mark.parametrize("chat_id", [1, -1, -1009999999999, "@nobody_at_all", "nobody", "-9999999999999999999"])
def test_a_chat_that_is_not_there(box: TelegramBox, chat_id: int | str) -> None:
    assert send(box, chat_id) == refusal(400, "Bad Request: chat not found")


def test_no_chat(box: TelegramBox) -> None:
    assert send(box, "") == refusal(400, "Bad Request: chat_id is empty")


def test_a_group_that_the_bot_never_was_in(box: TelegramBox, mina: JSON) -> None:
    assert send(box, box.group(creator=mina)["id"]) == refusal(400, "Bad Request: chat not found")


def test_a_public_group_that_the_bot_never_was_in(box: TelegramBox, mina: JSON) -> None:
    box.group(type="supergroup", creator=mina, username="public_place")
    answer = send(box, "@public_place")
    assert answer == refusal(403, "Forbidden: bot is not a member of the supergroup chat")


def test_an_upgraded_group_names_its_new_id(box: TelegramBox, mina: JSON) -> None:
    group = box.group(creator=mina, bots=[BOT])
    new = box.migrate(group)
    words = "Bad Request: group chat was upgraded to a supergroup chat"
    assert send(box, group["id"]) == refusal(400, words, migrate_to_chat_id=new["id"])
    assert send(box, new["id"])["result"]["chat"]["type"] == "supergroup"


def test_topics_that_are_closed_deleted_or_unknown(box: TelegramBox, mina: JSON) -> None:
    forum = box.group(type="supergroup", is_forum=True, creator=mina, bots=[BOT])
    topic = box.topic(forum, "Alerts")["id"]
    assert send(box, forum["id"], message_thread_id=topic)["result"]["is_topic_message"] is True
    box.change_topic(forum, topic, closed=True)
    assert send(box, forum["id"], message_thread_id=topic) == refusal(400, "Bad Request: TOPIC_CLOSED")
    box.member(forum, BOT, "administrator")
    assert send(box, forum["id"], message_thread_id=topic)["ok"], "administrators write in closed topics"
    box.change_topic(forum, topic, deleted=True)
    assert send(box, forum["id"], message_thread_id=topic) == refusal(400, "Bad Request: TOPIC_DELETED")
    unknown = refusal(400, "Bad Request: message thread not found")
    assert send(box, forum["id"], message_thread_id=999) == unknown
    assert send(box, forum["id"], message_thread_id=1) == unknown, "General is not named when sending"
    assert send(box, mina["id"], message_thread_id=topic) == unknown, "a private chat has no topics"


def test_a_closed_general_topic(box: TelegramBox, mina: JSON) -> None:
    forum = box.group(type="supergroup", is_forum=True, creator=mina, bots=[BOT])
    assert "message_thread_id" not in send(box, forum["id"])["result"]
    box.change_topic(forum, 1, closed=True)
    assert send(box, forum["id"]) == refusal(400, "Bad Request: TOPIC_CLOSED")


def test_rights_in_channels_and_groups(box: TelegramBox, mina: JSON) -> None:
    channel = box.group(type="channel", creator=mina, bots=[BOT])
    box.member(channel, BOT, "member")
    words = "Bad Request: need administrator rights in the channel chat"
    assert send(box, channel["id"]) == refusal(400, words)
    group = box.group(type="supergroup", creator=mina, bots=[BOT])
    box.member(group, BOT, "restricted", can_send=False)
    words = "Bad Request: not enough rights to send text messages to the chat"
    assert send(box, group["id"]) == refusal(400, words)


def test_an_edit_that_changes_nothing(box: TelegramBox, mina: JSON) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    number = send(box, mina["id"], reply_markup=keyboard)["result"]["message_id"]
    same = refusal(
        400,
        "Bad Request: message is not modified: specified new message content and reply markup are exactly the same"
        " as a current content and reply markup of the message",
    )
    where = {"chat_id": mina["id"], "message_id": number}
    assert box.call("editMessageText", text="Hello", reply_markup=keyboard, **where) == same
    assert box.call("editMessageReplyMarkup", reply_markup=keyboard, **where) == same
    assert box.call("editMessageText", text="Hello", **where)["ok"], "without it the keyboard goes"
    assert box.call("editMessageText", text="Hello", **where) == same
    assert box.call("editMessageText", text="Changed", **where)["result"]["edit_date"] > 0
    assert box.call("editMessageText", text=" Changed ", **where) == same, "white space around it is cut off"


def test_messages_that_cannot_be_changed(box: TelegramBox, mina: JSON) -> None:
    foreign = box.say(mina, "Mine")["message_id"]
    chat = {"chat_id": mina["id"]}
    answer = box.call("editMessageText", text="Yours", message_id=foreign, **chat)
    assert answer == refusal(400, "Bad Request: message can't be edited")
    answer = box.call("editMessageText", text="Yours", message_id=999, **chat)
    assert answer == refusal(400, "Bad Request: message to edit not found")
    answer = box.call("editMessageText", text="Yours", **chat)
    assert answer == refusal(400, "Bad Request: message identifier is not specified")
    number = send(box, mina["id"])["result"]["message_id"]
    answer = box.call("editMessageCaption", caption="Yours", message_id=number, **chat)
    assert answer == refusal(400, "Bad Request: there is no caption in the message to edit")


def test_deleting(box: TelegramBox, mina: JSON) -> None:
    number = send(box, mina["id"])["result"]["message_id"]
    gone = refusal(400, "Bad Request: message to delete not found")
    where = {"chat_id": mina["id"], "message_id": number}
    assert box.call("deleteMessage", **where) == {"ok": True, "result": True}
    assert box.call("deleteMessage", **where) == gone
    answer = box.call("editMessageText", text="Late", **where)
    assert answer == refusal(400, "Bad Request: message to edit not found")
    assert [one["deleted"] for one in box.transcript(mina, deleted=True)] == [False, True]
    group = box.group(creator=mina, bots=[BOT])
    foreign = box.say(mina, "Hello", chat=group)["message_id"]
    answer = box.call("deleteMessage", chat_id=group["id"], message_id=foreign)
    assert answer == refusal(400, "Bad Request: message can't be deleted")
    several = [foreign, send(box, group["id"])["result"]["message_id"], 999]
    assert box.call("deleteMessages", chat_id=group["id"], message_ids=several)["ok"]
    left = [one["message_id"] for one in box.transcript(group)]
    assert foreign in left
    assert several[1] not in left


def test_a_reply_to_what_is_gone(box: TelegramBox, mina: JSON) -> None:
    answer = send(box, mina["id"], reply_parameters={"message_id": 999})
    assert answer == refusal(400, "Bad Request: message to be replied not found")
    lenient = {"message_id": 999, "allow_sending_without_reply": True}
    assert "reply_to_message" not in send(box, mina["id"], reply_parameters=lenient)["result"]
    question = box.say(mina, "Well?")
    answer = send(box, mina["id"], reply_parameters={"message_id": question["message_id"]})
    assert answer["result"]["reply_to_message"]["text"] == "Well?"


# ---- answers to pressed buttons


def test_a_press_answered_too_late(box: TelegramBox, mina: JSON) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    sent = send(box, mina["id"], reply_markup=keyboard)["result"]
    late = refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    assert box.call("answerCallbackQuery", callback_query_id="123") == late
    pressed = box.press(mina, sent)
    assert box.call("answerCallbackQuery", OTHER_TOKEN, callback_query_id=pressed) == late, "another bot's"
    assert box.call("answerCallbackQuery", callback_query_id=pressed, text="Thanks", show_alert=True)["ok"]
    box.settings(callback_lifetime=0)
    assert box.call("answerCallbackQuery", callback_query_id=box.press(mina, sent)) == late
    assert [press["answer"] and press["answer"]["text"] for press in box.answers()] == ["Thanks", None]


# ---- 401, 404, 5xx


def test_an_unknown_token_and_what_is_no_token(box: TelegramBox) -> None:
    unauthorized, not_found = refusal(401, "Unauthorized"), refusal(404, "Not Found")
    assert box.call("getMe", "7000000009:a-well-formed-token-of-nobody") == unauthorized
    assert box.call("getMe", DEMO_TOKEN[:-1]) == unauthorized
    for malformed in (
        "7000000001",
        "nonsense",
        "a:bcdefghijklmno",
        "7000000001:short",
        ":",
        "7000000001:with space-and-more",
    ):
        assert box.call("getMe", malformed) == not_found, malformed


def test_a_revoked_token() -> None:
    with TelegramBox() as box:
        new = box.revoke_token()
        assert box.call("getMe") == refusal(401, "Unauthorized")
        assert box.call("getMe", new)["result"]["username"] == BOT
        assert exchange(box, f"/file/bot{DEMO_TOKEN}/documents/file_1.bin", "GET").status_code == 401


def test_an_unknown_method(box: TelegramBox) -> None:
    assert box.call("sendPigeon") == refusal(404, "Not Found: method not found")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (500, "Internal Server Error"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
    ],
)
def test_errors_of_telegrams_own(box: TelegramBox, mina: JSON, code: int, words: str) -> None:
    box.fault("error", error_code=code, count=1)
    answer = exchange(box, method("sendMessage"), json={"chat_id": mina["id"], "text": "Hello"})
    assert (answer.status_code, answer.json()) == (code, refusal(code, words))
    assert send(box, mina["id"])["ok"]


def test_the_status_of_the_answer_is_its_error_code(box: TelegramBox, mina: JSON) -> None:
    box.block(mina)
    answer = exchange(box, method("sendMessage"), json={"chat_id": mina["id"], "text": "Hello"})
    assert (answer.status_code, answer.json()["error_code"]) == (403, 403)
    assert answer.headers["Content-Type"] == "application/json"
    assert "Retry-After" not in answer.headers
