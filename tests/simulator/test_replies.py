"""Answers to messages of this chat and of others, quotes, topics; link previews."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.wire import png, refusal
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
BOT = "switchboard_demo_bot"


def answer(box: TelegramBox, chat: JSON, message_id: int, **parameters: Any) -> JSON:
    reply = {"message_id": message_id, **parameters}
    return box.call("sendMessage", chat_id=chat["id"], text="Yes", reply_parameters=reply)


def test_a_quote_of_a_part(box: TelegramBox, mina: JSON) -> None:
    said = box.say(mina, "the quick brown fox")
    sent = answer(box, mina, said["message_id"], quote="quick brown", quote_position=4)["result"]
    assert sent["reply_to_message"]["message_id"] == said["message_id"]
    assert sent["quote"] == {"text": "quick brown", "position": 4, "is_manual": True}
    trimmed = answer(box, mina, said["message_id"], quote=" quick ", quote_position=3)["result"]
    assert trimmed["quote"] == {"text": "quick", "position": 4, "is_manual": True}
    assert answer(box, mina, said["message_id"], quote="fox", quote_position=-1)["result"]["quote"]["position"] == 0


def test_a_quote_has_its_formatting(box: TelegramBox, mina: JSON) -> None:
    said = box.call("sendMessage", chat_id=mina["id"], text="<b>quick</b> brown", parse_mode="HTML")["result"]
    bold = [{"type": "bold", "offset": 0, "length": 5}]
    for reply in (
        {"quote": "<b>quick</b> br", "quote_parse_mode": "HTML"},
        {"quote": "quick br", "quote_entities": bold},
    ):
        sent = answer(box, mina, said["message_id"], **reply)["result"]
        assert sent["quote"] == {"text": "quick br", "position": 0, "is_manual": True, "entities": bold}
    for wrong in ("quick", "slow", "<b>quick</b>", "x" * 1025):
        refused = answer(box, mina, said["message_id"], quote=wrong)
        assert refused == refusal(400, "Bad Request: QUOTE_TEXT_INVALID"), wrong


def test_an_answer_to_another_chat(box: TelegramBox, mina: JSON) -> None:
    group = box.group("Launch", type="supergroup", creator=mina, bots=[BOT])
    photo = box.send_photo(mina, png(), chat=group, caption="Look at *this*")
    sent = answer(box, mina, photo["message_id"], chat_id=group["id"])["result"]
    assert "reply_to_message" not in sent
    assert sent["external_reply"]["origin"] == {"type": "user", "date": photo["date"], "sender_user": mina}
    assert sent["external_reply"]["chat"]["id"] == group["id"]
    assert sent["external_reply"]["message_id"] == photo["message_id"]
    assert sent["external_reply"]["photo"] == photo["photo"]
    assert sent["quote"] == {"text": "Look at *this*", "position": 0}
    manual = answer(box, mina, photo["message_id"], chat_id=str(group["id"]), quote="this", quote_position=9)["result"]
    assert manual["quote"] == {"text": "this", "position": 9, "is_manual": True}


def test_an_answer_to_a_private_chat_does_not_name_it(box: TelegramBox, mina: JSON) -> None:
    group = box.group("Launch", creator=mina, bots=[BOT])
    said = box.say(mina, "Between us")
    sent = answer(box, group, said["message_id"], chat_id=mina["id"])["result"]
    assert list(sent["external_reply"]) == ["origin"]


def test_an_answer_to_a_channel_that_has_a_name(box: TelegramBox, mina: JSON) -> None:
    channel = box.group("News", type="channel", username="demo_news", creator=mina, bots=[BOT])
    post = box.say(mina, "Out now", chat=channel)
    sent = answer(box, mina, post["message_id"], chat_id="@demo_news")["result"]
    assert sent["external_reply"]["origin"]["type"] == "channel"
    assert sent["external_reply"]["origin"]["message_id"] == post["message_id"]


@pytest.mark.parametrize("chat_id", [-1009999999999, "@nobody_here", "x"])
def test_an_answer_to_a_chat_that_is_not_there(box: TelegramBox, mina: JSON, chat_id: Any) -> None:
    assert answer(box, mina, 1, chat_id=chat_id) == refusal(400, "Bad Request: chat not found")


def test_an_answer_to_a_chat_without_the_bot(box: TelegramBox, mina: JSON) -> None:
    group = box.group("Launch", type="supergroup", creator=mina)
    said = box.say(mina, "Among us", chat=group)
    refused = answer(box, mina, said["message_id"], chat_id=group["id"])
    assert refused == refusal(400, "Bad Request: chat not found")


def test_a_message_that_is_gone(box: TelegramBox, mina: JSON) -> None:
    group = box.group("Launch", creator=mina, bots=[BOT])
    gone = refusal(400, "Bad Request: message to be replied not found")
    assert answer(box, mina, 999) == gone
    assert "reply_to_message" not in answer(box, mina, 999, allow_sending_without_reply=True)["result"]
    elsewhere = answer(box, mina, 999, chat_id=group["id"], allow_sending_without_reply=True)
    assert elsewhere == gone, "an answer to another chat needs its message"
    assert answer(box, mina, 0)["ok"], "0 names no message"


def test_in_a_topic_everything_answers_its_first_message(box: TelegramBox, mina: JSON) -> None:
    forum = box.group("Operations", type="supergroup", is_forum=True, creator=mina, bots=[BOT])
    topic = box.topic(forum, "Alerts")
    sent = box.call("sendMessage", chat_id=forum["id"], message_thread_id=topic["id"], text="Up")["result"]
    said = box.say(mina, "Good", chat=forum, thread_id=topic["id"])
    for message in (sent, said):
        assert message["reply_to_message"]["forum_topic_created"]["name"] == "Alerts"
    replied = box.say(mina, "Really", chat=forum, thread_id=topic["id"], reply_to=sent["message_id"])
    assert replied["reply_to_message"]["text"] == "Up"


# ---- link previews


def sent_with(box: TelegramBox, person: JSON, text: str, **parameters: Any) -> JSON:
    found: JSON = box.call("sendMessage", chat_id=person["id"], text=text, **parameters)["result"]
    return found


def test_link_preview_options_show_where_they_matter(box: TelegramBox, mina: JSON) -> None:
    link, off = "see https://example.test/a", {"is_disabled": True}
    chosen = {"url": "https://example.test/b", "prefer_large_media": True, "show_above_text": True}
    assert sent_with(box, mina, link, link_preview_options=off)["link_preview_options"] == off
    assert sent_with(box, mina, link, disable_web_page_preview=True)["link_preview_options"] == off
    assert sent_with(box, mina, "read", link_preview_options=chosen)["link_preview_options"] == chosen
    for sent in (
        sent_with(box, mina, "nothing", link_preview_options=off),
        sent_with(box, mina, link, link_preview_options={"prefer_small_media": True}),
        sent_with(box, mina, link, disable_web_page_preview=False),
    ):
        assert "link_preview_options" not in sent


def test_an_edit_has_its_own_link_preview_options(box: TelegramBox, mina: JSON) -> None:
    off = {"is_disabled": True}
    sent = sent_with(box, mina, "see https://example.test/a", link_preview_options=off)
    where = {"chat_id": mina["id"], "message_id": sent["message_id"]}
    edited = box.call("editMessageText", text="see https://example.test/a", **where)
    assert "link_preview_options" not in edited["result"], "the same text, with its preview again"
    edited = box.call("editMessageText", text="see https://example.test/b", link_preview_options=off, **where)
    assert edited["result"]["link_preview_options"] == off


def test_a_preview_without_a_text(box: TelegramBox, mina: JSON) -> None:
    url = {"url": "https://example.test/a"}
    sent = sent_with(box, mina, " \u200b", link_preview_options=url)
    assert (sent["text"], sent["link_preview_options"]) == ("", url)
    empty = refusal(400, "Bad Request: text must be non-empty")
    off = {**url, "is_disabled": True}
    assert box.call("sendMessage", chat_id=mina["id"], text=" ", link_preview_options=off) == empty
    wrong = box.call("sendMessage", chat_id=mina["id"], text="a", link_preview_options="[]")
    assert wrong == refusal(400, "Bad Request: object expected as link preview options")


def test_the_chat_is_looked_at_before_the_text(box: TelegramBox, mina: JSON) -> None:
    for text in ("x" * 5000, "\u200b"):
        nowhere = box.call("sendMessage", chat_id=-1009999999999, text=text)
        assert nowhere == refusal(400, "Bad Request: chat not found")
        unanswered = box.call("sendMessage", chat_id=mina["id"], text=text, reply_to_message_id=999)
        assert unanswered == refusal(400, "Bad Request: message to be replied not found")
