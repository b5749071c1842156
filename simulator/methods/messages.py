"""Sending: sendMessage and what every sending method shares."""

from __future__ import annotations

from typing import Any

from simulator.access import chat_of, quoted, replied_to, require_kinds, require_write, thread_of
from simulator.entities import format_text, utf16_length
from simulator.errors import bad_request, too_many_requests
from simulator.keyboards import reply_markup
from simulator.methods import Context
from simulator.model import JSON, Chat, Record
from simulator.parameters import Call

MOST_TEXT = 4096
MOST_CAPTION = 1024
CHAT_ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ]
)


def get_me(context: Context, call: Call) -> JSON:
    """The bot itself."""
    bot = call.bot
    return {
        **bot.user(),
        "can_join_groups": bot.can_join_groups,
        "can_read_all_group_messages": not bot.privacy,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def send_message(context: Context, call: Call) -> JSON:
    """Send a text."""
    raw = call.string("text")
    if not raw:
        raise bad_request("message text is empty")
    text, entities = format_text(raw, call.string("parse_mode"), call.listed("entities", "MessageEntity"))
    if not text:
        raise bad_request("text must be non-empty")
    if utf16_length(text) > MOST_TEXT:
        raise bad_request("message is too long")
    content: JSON = {"text": text}
    if entities:
        content["entities"] = entities
    call.text = text
    return send(context, call, [content])[0].message


def caption_of(call: Call) -> JSON:
    """caption and caption_entities of a call, empty without one. Raises ApiError 400."""
    return caption_fields(
        call.string("caption"), call.string("parse_mode"), call.listed("caption_entities", "MessageEntity")
    )


def caption_fields(raw: str, parse_mode: str, explicit: list[Any] | None) -> JSON:
    """The same for an item of an album."""
    text, entities = format_text(raw, parse_mode, explicit)
    if not text:
        return {}
    if utf16_length(text) > MOST_CAPTION:
        raise bad_request("message caption is too long")
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def send(context: Context, call: Call, contents: list[JSON]) -> list[Record]:
    """Put one message, or an album's messages, into the chat of a call. Raises every refusal of a sending
    method.
    """
    inline, other = reply_markup(call)
    call.markup = inline or other
    chat = chat_of(context.world, call)
    require_write(context.world, chat, call.bot)
    require_kinds(chat, call.bot, contents)
    thread = thread_of(chat, call)
    answered = replied_to(chat, call)
    take_pace(context, call, chat, len(contents))
    head: JSON = {}
    if chat.type == "channel":
        head["sender_chat"] = context.world.chat_info(chat)
    else:
        head["from"] = call.bot.user()
    tail: JSON = {}
    if thread:
        tail["message_thread_id"] = thread
        tail["is_topic_message"] = True
    if answered is not None:
        tail["reply_to_message"] = quoted(answered)
    if call.boolean("protect_content"):
        tail["has_protected_content"] = True
    if inline is not None:
        tail["reply_markup"] = inline
    records = []
    for content in contents:
        record = context.world.post(chat, call.bot.id, {**content, **tail}, head)
        record.keyboard = other
        records.append(record)
    call.cost = len(records)
    call.message_id = records[0].message["message_id"]
    call.message_ids = [record.message["message_id"] for record in records]
    return records


def take_pace(context: Context, call: Call, chat: Chat, cost: int) -> None:
    """Count messages against the limits. Raises ApiError 429."""
    rates = context.settings.rates
    wait = context.limiter.blocked_for(call.bot.id, context.now)
    if not wait:
        is_group = chat.type in ("group", "supergroup", "channel")
        wait = context.limiter.take(rates, call.bot.id, chat.id, is_group, cost, context.now)
    if wait:
        raise too_many_requests(wait)


def send_chat_action(context: Context, call: Call) -> bool:
    """Show "typing…" and the like."""
    action = call.string("action")
    if action not in CHAT_ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat = chat_of(context.world, call)
    require_write(context.world, chat, call.bot)
    thread_of(chat, call)
    context.world.show("action", chat, action=action)
    return True


METHODS = {"getme": get_me, "sendmessage": send_message, "sendchataction": send_chat_action}
