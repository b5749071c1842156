"""Sending: sendMessage and what every sending method shares."""

from __future__ import annotations

from typing import Any

from simulator.access import chat_of, require_kinds, require_write, thread_of
from simulator.entities import format_text, is_visible
from simulator.errors import ApiError, bad_request, too_many_requests
from simulator.keyboards import reply_markup
from simulator.methods import Context
from simulator.methods.previews import preview_options, shown_options, stands_alone
from simulator.model import JSON, Chat, Record
from simulator.parameters import Call
from simulator.replies import reply_fields

MAX_TEXT = 4096
MAX_CAPTION = 1024
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

ABILITIES = (
    "supports_guest_queries",
    "supports_inline_queries",
    "can_connect_to_business",
    "has_main_web_app",
    "has_topics_enabled",
    "allows_users_to_create_topics",
    "can_manage_bots",
    "supports_join_request_queries",
)


def get_me(context: Context, call: Call) -> JSON:
    """The bot itself."""
    bot = call.bot
    return {
        **bot.user(),
        "can_join_groups": bot.can_join_groups,
        "can_read_all_group_messages": not bot.privacy,
        **dict.fromkeys(ABILITIES, False),
    }


def send_message(context: Context, call: Call) -> JSON:
    """Send a text."""
    raw = call.string("text")
    if not raw:
        raise bad_request("message text is empty")
    options = preview_options(call)
    text, entities = formatted_text(context, call, raw)
    call.text = text
    refused = None
    if not text and not stands_alone(options):
        refused = bad_request("text must be non-empty")
    elif len(text) > MAX_TEXT:
        refused = bad_request("message is too long")
    content: JSON = {"text": text}
    if entities:
        content["entities"] = entities
    return send(context, call, [content | shown_options(options, entities)], refused)[0].message


def formatted_text(context: Context, call: Call, raw: str) -> tuple[str, list[JSON]]:
    """Text and entities of a call; empty where nothing could be seen. Raises ApiError 400."""
    explicit = call.listed("entities", "MessageEntity")
    text, entities = formatted(context, call, raw, call.string("parse_mode"), explicit)
    return (text, entities) if is_visible(text) else ("", [])


def formatted(
    context: Context, call: Call, raw: str, parse_mode: str, explicit: list[Any] | None
) -> tuple[str, list[JSON]]:
    """A text as Telegram keeps it, with its entities. Raises ApiError 400."""
    return format_text(raw, parse_mode, explicit, find_user=lambda user_id: context.world.known_user(call.bot, user_id))


def caption_of(context: Context, call: Call) -> JSON:
    """caption and caption_entities of a call, empty without one. Raises ApiError 400."""
    explicit = call.listed("caption_entities", "MessageEntity")
    return caption_fields(context, call, call.string("caption"), call.string("parse_mode"), explicit)


def caption_fields(context: Context, call: Call, raw: str, parse_mode: str, explicit: list[Any] | None) -> JSON:
    """The same for an item of an album."""
    text, entities = formatted(context, call, raw, parse_mode, explicit)
    if not text:
        return {}
    return {"caption": text, "caption_entities": entities} if entities else {"caption": text}


def caption_refusal(contents: list[JSON]) -> ApiError | None:
    """Why these captions cannot be sent, or None."""
    if any(len(content.get("caption", "")) > MAX_CAPTION for content in contents):
        return bad_request("message caption is too long")
    return None


def send(context: Context, call: Call, contents: list[JSON], refused: ApiError | None = None) -> list[Record]:
    """Put one message, or an album's messages, into the chat of a call. Raises every refusal of a sending
    method; `refused`, what is wrong with the content, comes after those of the chat.
    """
    inline, other = reply_markup(call)
    call.markup = inline or other
    chat = chat_of(context.world, call)
    require_write(context.world, chat, call.bot)
    require_kinds(chat, call.bot, contents)
    thread = thread_of(chat, call)
    reply = reply_fields(context.world, chat, call, thread)
    if refused is not None:
        raise refused
    take_pace(context, call, chat, len(contents))
    head: JSON = {}
    if chat.type == "channel":
        head["sender_chat"] = context.world.chat_info(chat)
    else:
        head["from"] = call.bot.user()
    tail: JSON = dict(reply)
    if thread:
        tail["message_thread_id"] = thread
        tail["is_topic_message"] = True
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
