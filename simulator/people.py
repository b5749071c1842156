"""What people do on their phones, and the updates that bots get of it."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from simulator.access import record_of
from simulator.entities import format_text, is_visible
from simulator.errors import invalid, not_found
from simulator.files import FileStore
from simulator.membership import change_membership
from simulator.model import JSON, Bot, Callback, Chat, Person, Record
from simulator.parameters import Upload
from simulator.replies import origin, quoted, topic_fields
from simulator.world import ANONYMOUS, World

PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_TEXT = 4096


def deep_link(link: str) -> tuple[str, str, str]:
    """(bot's username, payload, "start" or "startgroup") of a t.me, telegram.me or tg:// address, or of a
    path on this server.

    A payload that Telegram would not pass on is dropped silently, as there. Raises ControlError 422 for
    anything else.
    """
    try:
        parts = urlsplit(link)
    except ValueError:
        raise invalid("this is no link to a bot") from None
    query = parse_qs(parts.query)
    if parts.scheme == "tg" and parts.netloc == "resolve":
        username = query.get("domain", [""])[0]
    else:
        username = parts.path.strip("/").removeprefix("t/")
    if not re.fullmatch(r"[A-Za-z]\w{3,31}", username):
        raise invalid("this is no link to a bot")
    kind = "startgroup" if "startgroup" in query else "start"
    payload = query.get(kind, [""])[0]
    return username, payload if PAYLOAD.fullmatch(payload) else "", kind


def chat_for(world: World, person: Person, reference: int | str | None) -> Chat:
    """A chat as a person names it: a bot (their private chat) or a group. None means the first bot."""
    if isinstance(reference, int) and reference < 0:
        return world.group(reference)
    if isinstance(reference, str):
        named = world.find_name(reference)
        if reference.startswith("-") or (named is not None and named < 0):
            return world.group(reference)
    return world.private_chat(world.bot(reference), person)


def _head(world: World, chat: Chat, person: Person) -> JSON:
    """Who a message is from: the person, or the group or channel itself."""
    if chat.type == "channel":
        return {"sender_chat": world.chat_info(chat)}
    member = chat.members.get(person.id)
    if chat.type != "private" and member is not None and member.anonymous:
        head: JSON = {"from": ANONYMOUS, "sender_chat": world.chat_info(chat)}
        return {**head, "author_signature": member.title} if member.title else head
    return {"from": person.user()}


def _require_present(world: World, chat: Chat, person: Person) -> None:
    if person.deactivated:
        raise invalid("this account was deleted")
    if chat.type == "private":
        if chat.blocked:
            raise invalid("this person has blocked the bot")
    elif not chat.is_member(person.id):
        raise invalid("this person is not in the chat")
    elif chat.migrated_to:
        raise invalid("the group was upgraded")
    elif chat.type == "channel" and not chat.is_admin(person.id):
        raise invalid("only administrators post in a channel")


def _post(world: World, chat: Chat, person: Person, content: JSON, reply_to: int = 0, thread_id: int = 0) -> Record:
    _require_present(world, chat, person)
    if thread_id:
        if thread_id not in chat.topics or chat.topics[thread_id].deleted:
            raise not_found("this topic")
        content = {**content, "message_thread_id": thread_id, "is_topic_message": True}
        content = {**content, **topic_fields(chat, thread_id)}
    if reply_to:
        answered = record_of(chat, reply_to)
        if answered is None:
            raise not_found("the message replied to")
        content = {**content, "reply_to_message": quoted(answered)}
        if chat.type == "supergroup" and not chat.is_forum:
            # Replies in any supergroup carry a thread number, though there are no topics.
            content["message_thread_id"] = answered.message.get("message_thread_id", reply_to)
    if chat.type == "private":
        chat.started = True
    record = world.post(chat, person.id, content, _head(world, chat, person))
    world.announce(chat, record)
    return record


def write(world: World, person: Person, chat: Chat, text: str, reply_to: int = 0, thread_id: int = 0) -> Record:
    """Type a text and send it. Raises ControlError when this person could not."""
    shown, entities = format_text(text, "", None)
    if not is_visible(shown) or len(shown) > MAX_TEXT:
        raise invalid("a text has 1 to 4096 characters")
    content: JSON = {"text": shown, "entities": entities} if entities else {"text": shown}
    return _post(world, chat, person, content, reply_to, thread_id)


def start(world: World, person: Person, bot: Bot, payload: str = "") -> Record:
    """Press START in the private chat; a blocked bot is unblocked first, as the button does."""
    chat = world.private_chat(bot, person)
    if chat.blocked:
        block(world, person, bot, blocked=False)
    payload = payload if PAYLOAD.fullmatch(payload) else ""
    return write(world, person, chat, f"/start {payload}".strip())


def start_in_group(world: World, person: Person, bot: Bot, chat: Chat, payload: str = "") -> Record:
    """Open a startgroup link and choose a group: the bot joins and gets `/start@bot payload`."""
    _require_present(world, chat, person)
    if not chat.is_member(bot.id):
        change_membership(world, chat, bot.id, "member", person.id)
    payload = payload if PAYLOAD.fullmatch(payload) else ""
    return write(world, person, chat, f"/start@{bot.username} {payload}".strip())


def block(world: World, person: Person, bot: Bot, *, blocked: bool = True) -> None:
    """Block or unblock a bot; it hears of it by `my_chat_member`."""
    chat = world.private_chat(bot, person)
    if chat.blocked == blocked:
        return
    chat.blocked = blocked
    status: dict[bool, JSON] = {
        False: {"user": bot.user(), "status": "member"},
        True: {"user": bot.user(), "status": "kicked", "until_date": 0},
    }
    change: JSON = {
        "chat": world.chat_info(chat),
        "from": person.user(),
        "date": int(time.time()),
        "old_chat_member": status[not blocked],
        "new_chat_member": status[blocked],
    }
    world.queue_update(bot, "my_chat_member", change, f"my {person.id}")
    world.show("block", chat, blocked=blocked)


def find_button(record: Record, data: str | None, text: str | None) -> JSON:
    """A button of a message's inline keyboard by its data or its text; the only one when neither is given."""
    rows = record.message.get("reply_markup", {}).get("inline_keyboard", [])
    buttons: list[JSON] = [button for row in rows for button in row]
    for button in buttons:
        if data is not None and button.get("callback_data") == data:
            return button
        if data is None and text is not None and button["text"] == text:
            return button
    if data is None and text is None and len(buttons) == 1:
        return buttons[0]
    raise not_found("this button")


def press(world: World, person: Person, chat: Chat, message_id: int, data: str | None, text: str | None) -> Callback:
    """Press an inline button that has callback data. The bot's answer will stand in the result's `answer`."""
    record = record_of(chat, message_id)
    if record is None:
        raise not_found("this message")
    _require_reader(chat, person)
    button = find_button(record, data, text)
    if "callback_data" not in button:
        raise invalid("this button opens an address: " + str(button.get("url", "")))
    number = str(world.random.randrange(10**17, 10**18))
    pressed = Callback(number, record.sender, person.id, chat.id, message_id, button["callback_data"], time.monotonic())
    world.callbacks[number] = pressed
    query = {
        "id": number,
        "from": person.user(),
        "message": record.message,
        "chat_instance": str(abs(chat.id) * 7919),
        "data": pressed.data,
    }
    bot = world.bots_by_id.get(record.sender)
    if bot is None:
        raise invalid("this message is not a bot's")
    world.queue_update(bot, "callback_query", query, f"button {person.id}")
    return pressed


def _require_reader(chat: Chat, person: Person) -> None:
    if person.deactivated:
        raise invalid("this account was deleted")
    if not chat.is_member(person.id):
        raise invalid("this person is not in the chat")


def edit(world: World, person: Person, chat: Chat, message_id: int, text: str) -> Record:
    """Change a message of one's own."""
    record = record_of(chat, message_id)
    if record is None:
        raise not_found("this message")
    if record.sender != person.id:
        raise invalid("only one's own messages can be edited")
    shown, entities = format_text(text, "", None)
    if not is_visible(shown) or len(shown) > MAX_TEXT:
        raise invalid("a text has 1 to 4096 characters")
    names = ("text", "entities") if "text" in record.message else ("caption", "caption_entities")
    message = {name: value for name, value in record.message.items() if name not in names}
    message |= {names[0]: shown, "edit_date": int(time.time())}
    if entities:
        message[names[1]] = entities
    record.message = message
    record.edits += 1
    world.show("edit", chat, message_id)
    world.announce(chat, record, "edited_message")
    return record


def delete(world: World, person: Person, chat: Chat, message_id: int) -> None:
    """Delete a message; bots are not told, as at Telegram."""
    record = record_of(chat, message_id)
    if record is None:
        raise not_found("this message")
    if chat.type != "private" and record.sender != person.id and not chat.is_admin(person.id):
        raise invalid("only one's own messages can be deleted")
    record.deleted = True
    world.show("delete", chat, message_id)


def forward(world: World, person: Person, source: Chat, message_id: int, target: Chat) -> Record:
    """Forward a message to another chat; its origin shows."""
    record = record_of(source, message_id)
    if record is None:
        raise not_found("this message")
    message = record.message
    kept = ("text", "entities", "caption", "caption_entities", "photo", "document")
    content = {name: message[name] for name in kept if name in message}
    if not content:
        raise invalid("a service message cannot be forwarded")
    return _post(world, target, person, {"forward_origin": origin(source, record), **content})


def send_file(
    world: World,
    files: FileStore,
    person: Person,
    chat: Chat,
    kind: str,
    upload: Upload,
    caption: str,
    **where: Any,
) -> Record:
    """Send a picture or a document."""
    stored = files.store(upload, kind)
    content = files.photo(stored) if kind == "photo" else files.document(stored)
    if caption:
        text, entities = format_text(caption, "", None)
        content["caption"] = text
        if entities:
            content["caption_entities"] = entities
    return _post(world, chat, person, content, **where)
