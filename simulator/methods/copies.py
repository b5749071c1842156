"""Forwarding and copying messages, one or several."""

from __future__ import annotations

from simulator.access import chat_named, record_of, require_member
from simulator.errors import bad_request
from simulator.methods import Context
from simulator.methods.messages import caption_fields, caption_refusal, send
from simulator.model import JSON, Chat, Record
from simulator.parameters import Call, whole_number
from simulator.replies import origin

MAX_AT_ONCE = 100
CONTENT = ("text", "entities", "link_preview_options", "caption", "caption_entities", "photo", "document")


def _source(context: Context, call: Call) -> Chat:
    """The chat that the messages stand in. Raises ApiError when it is not there, or the bot is not in it."""
    value = call.string("from_chat_id").strip()
    if not value:
        raise bad_request("chat_id is empty")
    chat = chat_named(context.world, call.bot, value)
    require_member(chat, call.bot)
    return chat


def _content(record: Record) -> JSON:
    return {name: record.message[name] for name in CONTENT if name in record.message}


def _may_go(record: Record) -> bool:
    return bool(_content(record)) and not record.message.get("has_protected_content")


def _single(chat: Chat, call: Call, what: str, refused: str) -> Record:
    message_id = call.integer("message_id")
    if not message_id:
        raise bad_request("message identifier is not specified")
    record = record_of(chat, message_id)
    if record is None:
        raise bad_request(f"message to {what} not found")
    if not _may_go(record):
        raise bad_request(f"message can't be {refused}")
    return record


def _several(chat: Chat, call: Call, what: str) -> list[Record]:
    ids = [whole_number(value) for value in call.listed("message_ids", "Integer") or []]
    if not 1 <= len(ids) <= MAX_AT_ONCE:
        raise bad_request("message identifiers are not specified")
    if ids != sorted(set(ids)):
        raise bad_request("message identifiers must be in a strictly increasing order")
    records = [record for message_id in ids if (record := record_of(chat, message_id)) is not None]
    able = [record for record in records if _may_go(record)]
    if not able:
        raise bad_request(f"there are no messages to {what}")
    return able


def _forwarded(chat: Chat, record: Record) -> JSON:
    return {"forward_origin": origin(chat, record), **_content(record)}


def forward_message(context: Context, call: Call) -> JSON:
    """Send a message again, with where it came from."""
    chat = _source(context, call)
    record = _single(chat, call, "forward", "forwarded")
    return send(context, call, [_forwarded(chat, record)])[0].message


def forward_messages(context: Context, call: Call) -> list[JSON]:
    """The same for up to 100; those that cannot be forwarded are skipped."""
    chat = _source(context, call)
    contents = [_forwarded(chat, record) for record in _several(chat, call, "forward")]
    return [{"message_id": sent.message["message_id"]} for sent in send(context, call, contents)]


def copy_message(context: Context, call: Call) -> JSON:
    """Send a message again as the bot's own, perhaps with another caption."""
    content = _content(_single(_source(context, call), call, "copy", "copied"))
    if "caption" in call.values and "text" not in content:
        explicit = call.listed("caption_entities", "MessageEntity")
        content = {name: value for name, value in content.items() if not name.startswith("caption")}
        content |= caption_fields(context, call, call.string("caption"), call.string("parse_mode"), explicit)
    call.text = content.get("text") or content.get("caption", "")
    sent = send(context, call, [content], caption_refusal([content]))[0]
    return {"message_id": sent.message["message_id"]}


def copy_messages(context: Context, call: Call) -> list[JSON]:
    """The same for up to 100; `remove_caption` leaves the captions out."""
    contents = [_content(record) for record in _several(_source(context, call), call, "copy")]
    if call.boolean("remove_caption"):
        contents = [
            {name: value for name, value in content.items() if not name.startswith("caption")} for content in contents
        ]
    return [{"message_id": sent.message["message_id"]} for sent in send(context, call, contents)]


METHODS = {
    "forwardmessage": forward_message,
    "forwardmessages": forward_messages,
    "copymessage": copy_message,
    "copymessages": copy_messages,
}
