"""What a message answers: another of its chat, one of another chat, or a part of one."""

from __future__ import annotations

from typing import Any

from simulator.access import chat_named, record_of, require_member
from simulator.entities import format_text, utf16_length
from simulator.entities.overlaps import STYLES
from simulator.errors import bad_request
from simulator.model import JSON, Chat, Record
from simulator.parameters import Call, whole_number
from simulator.world import World

MAX_QUOTED = 1024
QUOTED_ENTITIES = (*STYLES, "custom_emoji", "date_time")
MEDIA = ("photo", "document", "link_preview_options")


def reply_fields(world: World, chat: Chat, call: Call, thread: int) -> JSON:
    """What stands in a new message of the bot about the one it answers. Raises ApiError 400 when that one is
    gone and this was not allowed.
    """
    parameters = call.structure("reply_parameters", "reply parameters") or {}
    if not isinstance(parameters, dict):
        raise bad_request("object expected as reply parameters")
    message_id = whole_number(parameters.get("message_id")) or call.integer("reply_to_message_id")
    if not message_id:
        return topic_fields(chat, thread)
    source = chat
    if parameters.get("chat_id") not in (None, ""):
        source = chat_named(world, call.bot, str(parameters["chat_id"]))
        require_member(source, call.bot)
    record = record_of(source, message_id)
    if record is None:
        lenient = parameters.get("allow_sending_without_reply") is True or call.boolean("allow_sending_without_reply")
        if lenient and source is chat:
            return topic_fields(chat, thread)
        raise bad_request("message to be replied not found")
    quote = _quote(world, call, record, parameters)
    if source is chat:
        return {"reply_to_message": quoted(record), **quote}
    return {"external_reply": _external(source, record), **(quote or _whole(record))}


def topic_fields(chat: Chat, thread: int) -> JSON:
    """In a topic, what answers nothing answers the message that made the topic."""
    record = record_of(chat, thread) if thread else None
    return {"reply_to_message": quoted(record)} if record is not None else {}


def quoted(record: Record) -> JSON:
    """A message as it stands inside the one that answers it."""
    left_out = ("reply_to_message", "external_reply", "quote", "reply_markup")
    return {name: value for name, value in record.message.items() if name not in left_out}


def origin(chat: Chat, record: Record) -> JSON:
    """Where a message was sent first, as a Bot API `MessageOrigin`."""
    message = record.message
    if "forward_origin" in message:
        return dict(message["forward_origin"])
    described: JSON = {"date": message["date"]}
    if chat.type == "channel":
        return {"type": "channel", **described, "chat": message["chat"], "message_id": message["message_id"]}
    if "sender_chat" in message:
        return {"type": "chat", **described, "sender_chat": message["sender_chat"]}
    return {"type": "user", **described, "sender_user": message["from"]}


def _external(chat: Chat, record: Record) -> JSON:
    message = record.message
    reply: JSON = {"origin": origin(chat, record)}
    if chat.type in ("supergroup", "channel"):
        reply |= {"chat": message["chat"], "message_id": message["message_id"]}
    return reply | {name: message[name] for name in MEDIA if name in message}


def _text_of(record: Record) -> tuple[str, list[JSON]]:
    """Text or caption of a message, with the entities that a quote keeps."""
    message = record.message
    name = "text" if "text" in message else "caption"
    entities = message.get("entities" if name == "text" else "caption_entities", [])
    return message.get(name, ""), [entity for entity in entities if entity["type"] in QUOTED_ENTITIES]


def _whole(record: Record) -> JSON:
    text, entities = _text_of(record)
    if not text:
        return {}
    quote: JSON = {"text": text[:MAX_QUOTED], "position": 0}
    size = utf16_length(quote["text"])
    if kept := _clipped(entities, 0, size):
        quote["entities"] = kept
    return {"quote": quote}


def _quote(world: World, call: Call, record: Record, parameters: JSON) -> JSON:
    """`{"quote": TextQuote}` for a part that the bot names, {} without one. Raises ApiError 400 where the
    message does not have it, formatting included.
    """
    given = parameters.get("quote")
    if not isinstance(given, str) or not given:
        return {}
    mode = str(parameters.get("quote_parse_mode") or "")
    text, entities = format_text(
        given,
        mode,
        parameters.get("quote_entities"),
        detected=False,
        find_user=lambda user_id: world.known_user(call.bot, user_id),
    )
    entities = [entity for entity in entities if entity["type"] in QUOTED_ENTITIES]
    if not text or len(text) > MAX_QUOTED or not _has_part(record, text, entities):
        raise bad_request("QUOTE_TEXT_INVALID")
    position = whole_number(parameters.get("quote_position"))
    if not 0 <= position <= utf16_length(_text_of(record)[0]):
        position = 0
    elif not mode:
        position += len(given) - len(given.lstrip(" \n"))
    quote: JSON = {"text": text, "position": position, "is_manual": True}
    return {"quote": {**quote, "entities": entities} if entities else quote}


def _has_part(record: Record, part: str, wanted: list[JSON]) -> bool:
    text, entities = _text_of(record)
    size, begin = utf16_length(part), text.find(part)
    while begin >= 0:
        offset = utf16_length(text[:begin])
        if _clipped(entities, offset, size) == wanted:
            return True
        begin = text.find(part, begin + 1)
    return False


def _clipped(entities: list[JSON], offset: int, size: int) -> list[Any]:
    """Entities of a part of a text, as they lie within it."""
    kept = []
    for entity in entities:
        start = max(entity["offset"] - offset, 0)
        stop = min(entity["offset"] + entity["length"] - offset, size)
        if stop > start:
            kept.append({**entity, "offset": start, "length": stop - start})
    return kept
