"""Answers of the simulator of every kind that it gives, for the models of client libraries."""

from __future__ import annotations

from typing import Any

from simulator.updates import KNOWN
from tests.simulator.wire import png
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
BOT = "switchboard_demo_bot"
MARKDOWN = "*a* _b_ __c__ ~d~ ||e|| `f` [g](https://example.test/) [h](tg://user?id={person}) ![👍](tg://emoji?id=5)"
MARKDOWN += " ![i](tg://time?unix=1790000000&format=wDT)"
MARKDOWN += r" @mina\_park /go \#tag a@example\.test https://example\.test/" + "\n"
MARKDOWN += "```python\nj```\n>k\n**>l||"
BUTTONS = [
    {"text": "a", "callback_data": "a"},
    {"text": "b", "url": "https://example.test/"},
    {"text": "c", "copy_text": {"text": "c"}},
    {"text": "d", "switch_inline_query": "d"},
]


class Samples:
    """Collects (kind, value) of what the Bot API answered."""

    def __init__(self, box: TelegramBox) -> None:
        self.box = box
        self.found: list[JSON] = []

    def call(self, kind: str, method: str, **parameters: Any) -> Any:
        """A call, and its result as samples of this kind. Raises AssertionError for a refusal."""
        answer = self.box.call(method, **parameters)
        assert answer["ok"], (method, parameters, answer)
        result = answer["result"]
        values = result if isinstance(result, list) else [result]
        self.found += [{"kind": kind, "value": value} for value in values if isinstance(value, dict)]
        return result


def collect(box: TelegramBox) -> list[JSON]:
    """A world with everything in it, as the bot sees it."""
    samples = Samples(box)
    box.call("getUpdates", allowed_updates=KNOWN)
    mina = box.person("Mina", username="mina_park", last_name="Park", is_premium=True)
    jonas = box.person("Jonas", language_code="de")
    chats = {
        "group": box.group("Group", creator=mina, members=[jonas], bots=[BOT]),
        "supergroup": box.group("Super", type="supergroup", username="demo_super", creator=mina, bots=[BOT]),
        "forum": box.group("Forum", type="supergroup", is_forum=True, creator=mina, bots=[BOT]),
        "channel": box.group("Channel", type="channel", creator=mina, bots=[BOT]),
    }
    box.start(mina, payload="abc")
    _bot(samples)
    _chats(samples, [mina, *chats.values()])
    for chat in (chats["supergroup"], chats["channel"]):
        _members(samples, chat, jonas)
    _messages(samples, mina, chats)
    _people(box, mina, jonas, chats)
    samples.call("Update", "getUpdates")
    return samples.found


def _bot(samples: Samples) -> None:
    samples.call("User", "getMe")
    samples.call("WebhookInfo", "getWebhookInfo")
    samples.box.call("setMyCommands", commands=[{"command": "go", "description": "Go on"}])
    samples.call("BotCommand", "getMyCommands")
    url = "https://localhost:9/hook"
    samples.box.call("setWebhook", url=url, ip_address="127.0.0.1", allowed_updates=["message"])
    samples.call("WebhookInfo", "getWebhookInfo")
    samples.box.call("deleteWebhook")
    samples.box.call("getUpdates", allowed_updates=KNOWN)


def _chats(samples: Samples, chats: list[JSON]) -> None:
    for chat in chats:
        samples.call("ChatFullInfo", "getChat", chat_id=chat["id"])


def _members(samples: Samples, chat: JSON, person: JSON) -> None:
    box = samples.box
    box.member(chat, BOT, "administrator", title="Helper")
    statuses = ["member", "administrator", "restricted", "left", "kicked"]
    for status in [status for status in statuses if status != "restricted" or chat["type"] == "supergroup"]:
        box.member(chat, person, status)
        samples.call("ChatMember", "getChatMember", chat_id=chat["id"], user_id=person["id"])
    samples.call("ChatMember", "getChatAdministrators", chat_id=chat["id"])


def _messages(samples: Samples, mina: JSON, chats: dict[str, JSON]) -> None:
    box, forum, there = samples.box, chats["forum"], {"chat_id": mina["id"]}
    text = MARKDOWN.format(person=mina["id"])
    keyboard = {"inline_keyboard": [BUTTONS]}
    sent = samples.call("Message", "sendMessage", text=text, parse_mode="MarkdownV2", reply_markup=keyboard, **there)
    where = {**there, "message_id": sent["message_id"]}
    samples.call("Message", "editMessageText", text="Changed", reply_markup=keyboard, **where)
    samples.call("Message", "editMessageReplyMarkup", **where)
    preview = {"url": "https://example.test/a", "show_above_text": True}
    samples.call("Message", "sendMessage", text="a", link_preview_options=preview, protect_content=True, **there)
    picture = box.call("sendPhoto", files={"photo": png(200, 100)}, caption="<b>p</b>", parse_mode="HTML", **there)
    samples.found.append({"kind": "Message", "value": picture["result"]})
    where = {**there, "message_id": picture["result"]["message_id"]}
    samples.call("Message", "editMessageCaption", caption="q", **where)
    document = box.call("sendDocument", files={"document": ("a.txt", b"abc")}, **there)
    samples.found.append({"kind": "Message", "value": document["result"]})
    samples.call("File", "getFile", file_id=document["result"]["document"]["file_id"])
    file_id = picture["result"]["photo"][-1]["file_id"]
    album = [{"type": "photo", "media": file_id, "caption": "r"}, {"type": "photo", "media": file_id}]
    samples.call("Message", "sendMediaGroup", media=album, **there)
    quoting = {"message_id": sent["message_id"], "quote": "Chan"}
    samples.call("Message", "sendMessage", text="b", reply_parameters=quoting, **there)
    post = samples.call("Message", "sendMessage", text="c <b>d</b>", parse_mode="HTML", chat_id=chats["channel"]["id"])
    elsewhere = {"message_id": post["message_id"], "chat_id": chats["channel"]["id"]}
    samples.call("Message", "sendMessage", text="e", reply_parameters=elsewhere, **there)
    for message_id in (sent["message_id"], picture["result"]["message_id"]):
        again = {"chat_id": forum["id"], "from_chat_id": mina["id"], "message_id": message_id}
        samples.call("Message", "forwardMessage", **again)
    topic = box.topic(forum, "Alerts")
    samples.call("Message", "sendMessage", text="f", chat_id=forum["id"], message_thread_id=topic["id"])
    for changes in ({"name": "Quiet"}, {"closed": True}, {"closed": False}):
        box.change_topic(forum, topic["id"], **changes)


def _people(box: TelegramBox, mina: JSON, jonas: JSON, chats: dict[str, JSON]) -> None:
    group, supergroup, channel = chats["group"], chats["supergroup"], chats["channel"]
    said = box.say(mina, "Hello https://example.test/ @mina_park")
    box.edit(mina, said["message_id"], "Hello again")
    keyboard = {"inline_keyboard": [BUTTONS]}
    sent = box.call("sendMessage", chat_id=mina["id"], text="Well?", reply_markup=keyboard)["result"]
    box.press(mina, sent, data="a")
    box.block(mina)
    box.unblock(mina)
    box.say(mina, "/go", chat=group)
    box.say(mina, "And?", reply_to=sent["message_id"])
    post = box.say(mina, "Out now", chat=channel)
    box.edit(mina, post["message_id"], "Out at last", chat=channel)
    box.forward(mina, post["message_id"], from_chat=channel)
    box.forward(mina, said["message_id"])
    box.send_photo(mina, png(200, 100), caption="A picture")
    box.send_document(mina, b"abc", "a.txt")
    box.member(supergroup, mina, "creator", anonymous=True, title="Boss")
    hidden = box.say(mina, "Who am I?", chat=supergroup)
    box.forward(mina, hidden["message_id"], from_chat=supergroup)
    for status in ("member", "restricted", "administrator", "kicked", "left"):
        box.member(supergroup, jonas, status)
    box.member(group, jonas, "left")
    box.migrate(group)
    box.member(chats["forum"], BOT, "administrator")
    box.member(chats["forum"], BOT, "left")
