"""Changing and deleting what was said."""

from __future__ import annotations

import time

from simulator.access import chat_of, record_of, require_member, require_write
from simulator.errors import bad_request
from simulator.keyboards import reply_markup
from simulator.methods import Context
from simulator.methods.messages import MAX_CAPTION, MAX_TEXT, caption_of, formatted_text, take_pace
from simulator.methods.previews import preview_options, shown_options, stands_alone
from simulator.model import JSON, Chat, Record
from simulator.parameters import Call, whole_number

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as"
    " a current content and reply markup of the message"
)
DELETE_WITHIN = 48 * 3600


def _own_message(context: Context, call: Call) -> tuple[Chat, Record]:
    if call.string("inline_message_id"):
        raise bad_request("MESSAGE_ID_INVALID")
    chat = chat_of(context.world, call)
    require_write(context.world, chat, call.bot)
    message_id = call.integer("message_id")
    if not message_id:
        raise bad_request("message identifier is not specified")
    call.message_id = message_id
    record = record_of(chat, message_id)
    if record is None:
        raise bad_request("message to edit not found")
    if record.sender != call.bot.id:
        raise bad_request("message can't be edited")
    if context.settings.rates.count_edits:
        take_pace(context, call, chat, 1)
    return chat, record


def _apply(context: Context, chat: Chat, record: Record, changed: JSON, markup: JSON | None) -> JSON:
    """Replace the named fields and the inline keyboard (None takes it away). Raises 400 when nothing would
    change.
    """
    before = record.message
    after = {**before, **changed}
    after = {name: value for name, value in after.items() if value is not None and name != "reply_markup"}
    if markup is not None:
        after["reply_markup"] = markup
    if after == before:
        raise bad_request(NOT_MODIFIED)
    after["edit_date"] = int(time.time())
    record.message = after
    record.edits += 1
    context.world.show("edit", chat, after["message_id"])
    return after


def edit_message_text(context: Context, call: Call) -> JSON:
    """Replace the text; without reply_markup the inline keyboard goes."""
    raw = call.string("text")
    if not raw:
        raise bad_request("message text is empty")
    options = preview_options(call)
    text, entities = formatted_text(context, call, raw)
    inline, _ = reply_markup(call)
    call.markup = inline
    chat, record = _own_message(context, call)
    if "text" not in record.message:
        raise bad_request("there is no text in the message to edit")
    if not text and not stands_alone(options):
        raise bad_request("text must be non-empty")
    if len(text) > MAX_TEXT:
        raise bad_request("MESSAGE_TOO_LONG")
    call.text = text
    changed: JSON = {"text": text, "entities": entities or None, "link_preview_options": None}
    return _apply(context, chat, record, changed | shown_options(options, entities), inline)


def edit_message_caption(context: Context, call: Call) -> JSON:
    """Replace the caption of a picture or document."""
    fields = caption_of(context, call)
    inline, _ = reply_markup(call)
    call.markup = inline
    chat, record = _own_message(context, call)
    if "photo" not in record.message and "document" not in record.message:
        raise bad_request("there is no caption in the message to edit")
    if len(fields.get("caption", "")) > MAX_CAPTION:
        raise bad_request("MEDIA_CAPTION_TOO_LONG")
    call.text = fields.get("caption", "")
    changed = {"caption": fields.get("caption"), "caption_entities": fields.get("caption_entities")}
    return _apply(context, chat, record, changed, inline)


def edit_message_reply_markup(context: Context, call: Call) -> JSON:
    """Replace the inline keyboard, or take it away."""
    inline, _ = reply_markup(call)
    call.markup = inline
    chat, record = _own_message(context, call)
    return _apply(context, chat, record, {}, inline)


def _may_delete(chat: Chat, call: Call, record: Record) -> bool:
    own = record.sender == call.bot.id
    if time.time() - record.message["date"] > DELETE_WITHIN and not (own and chat.type == "channel"):
        return False
    return own or chat.type == "private" or chat.is_admin(call.bot.id)


def delete_message(context: Context, call: Call) -> bool:
    """Delete a message of the bot's own, any in a private chat, or as an administrator."""
    chat = chat_of(context.world, call)
    require_member(chat, call.bot)
    message_id = call.integer("message_id")
    if not message_id:
        raise bad_request("message identifier is not specified")
    call.message_id = message_id
    record = record_of(chat, message_id)
    if record is None:
        raise bad_request("message to delete not found")
    if not _may_delete(chat, call, record):
        raise bad_request("message can't be deleted")
    record.deleted = True
    context.world.show("delete", chat, message_id)
    return True


def delete_messages(context: Context, call: Call) -> bool:
    """Delete up to 100 messages; those that cannot be found are skipped."""
    ids = [whole_number(value) for value in call.listed("message_ids", "Integer") or []]
    if not 1 <= len(ids) <= 100:
        raise bad_request("message identifiers are not specified")
    chat = chat_of(context.world, call)
    require_member(chat, call.bot)
    for message_id in ids:
        record = record_of(chat, message_id)
        if record is not None and _may_delete(chat, call, record):
            record.deleted = True
            context.world.show("delete", chat, message_id)
    return True


METHODS = {
    "editmessagetext": edit_message_text,
    "editmessagecaption": edit_message_caption,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "deletemessages": delete_messages,
}
