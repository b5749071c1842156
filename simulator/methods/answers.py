"""Answering a pressed button."""

from __future__ import annotations

import time

from simulator.errors import bad_request
from simulator.methods import Context
from simulator.model import Chat
from simulator.parameters import Call

MAX_ANSWER = 200


def answer_callback_query(context: Context, call: Call) -> bool:
    """Stop the button's spinner, perhaps with a toast or an alert."""
    text = call.string("text")
    if len(text) > MAX_ANSWER:
        raise bad_request("MESSAGE_TOO_LONG")
    callback = context.world.callbacks.get(call.string("callback_query_id"))
    late = callback is None or context.now - callback.pressed_at > context.settings.callback_lifetime
    if callback is None or late or callback.bot_id != call.bot.id:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    call.chat_id, call.message_id, call.text = callback.chat_id, callback.message_id, text
    url = call.string("url")
    if url and not url.startswith(("https://t.me/", "tg://", "http://t.me/")):
        raise bad_request("URL_INVALID")
    callback.answer = {"text": text, "show_alert": call.boolean("show_alert"), "url": url, "at": time.time()}
    chat: Chat | None = context.world.groups.get(callback.chat_id)
    if chat is None:
        chat = context.world.private[call.bot.id, callback.person_id]
    context.world.show(
        "answer",
        chat,
        callback.message_id,
        person_id=callback.person_id,
        callback_query_id=callback.id,
        **callback.answer,
    )
    return True


METHODS = {"answercallbackquery": answer_callback_query}
