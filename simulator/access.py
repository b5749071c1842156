"""Which chat a call means, and whether this bot may read or write there; the refusals are Telegram's."""

from __future__ import annotations

import re

from simulator.errors import bad_request, forbidden
from simulator.model import JSON, Bot, Chat, Record
from simulator.parameters import Call, whole_number
from simulator.world import World


def chat_of(world: World, call: Call, name: str = "chat_id") -> Chat:
    """The chat that a parameter names. Raises ApiError 400 when it is missing, unknown or was upgraded."""
    value = call.string(name).strip()
    if not value:
        raise bad_request("chat_id is empty")
    call.chat_id = _chat_id(world, value)
    return _chat(world, call.bot, call.chat_id)


def chat_named(world: World, bot: Bot, value: str) -> Chat:
    """The chat behind an id or @username. Raises ApiError 400 when it is unknown or was upgraded."""
    return _chat(world, bot, _chat_id(world, value.strip()))


def _chat_id(world: World, value: str) -> int:
    if re.fullmatch(r"-?[0-9]{1,19}", value):
        return whole_number(value)
    chat_id = world.find_name(value) if value.startswith("@") else None
    if chat_id is None or chat_id > 0:
        raise bad_request("chat not found")
    return chat_id


def _chat(world: World, bot: Bot, chat_id: int) -> Chat:
    if chat_id > 0:
        return _private(world, bot, chat_id)
    chat = world.groups.get(chat_id)
    if chat is None or (bot.id not in chat.members and not chat.username):
        raise bad_request("chat not found")
    if chat.migrated_to:
        raise bad_request("group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
    return chat


def _private(world: World, bot: Bot, person_id: int) -> Chat:
    if person_id == bot.id:
        raise forbidden("bot can't send messages to the bot")
    if person_id in world.bots_by_id:
        raise forbidden("bot can't send messages to bots")
    person = world.people.get(person_id)
    if person is None:
        raise bad_request("chat not found")
    return world.private_chat(bot, person)


def require_write(world: World, chat: Chat, bot: Bot) -> None:
    """Raises ApiError unless the bot may write there."""
    if chat.type == "private":
        if world.people[chat.id].deactivated:
            raise forbidden("user is deactivated")
        if chat.blocked:
            raise forbidden("bot was blocked by the user")
        if not chat.started:
            raise forbidden("bot can't initiate conversation with a user")
        return
    require_member(chat, bot)
    if chat.type == "channel" and not chat.is_admin(bot.id):
        raise bad_request("need administrator rights in the channel chat")
    if not chat.members[bot.id].can_send:
        raise bad_request("not enough rights to send text messages to the chat")


def require_kinds(chat: Chat, bot: Bot, contents: list[JSON]) -> None:
    """Raises ApiError 400 for a picture or document where the bot may only write."""
    member = chat.members.get(bot.id)
    if chat.type == "private" or member is None:
        return
    for kind in member.forbidden:
        if any(kind in content for content in contents):
            raise bad_request(f"not enough rights to send {kind}s to the chat")


def require_member(chat: Chat, bot: Bot) -> None:
    """Raises ApiError 403 when the bot is not, or no longer, in the group."""
    if chat.type == "private":
        return
    member = chat.members.get(bot.id)
    if member is not None and member.status == "kicked":
        raise forbidden(f"bot was kicked from the {chat.noun()}")
    if not chat.is_member(bot.id):
        raise forbidden(f"bot is not a member of the {chat.noun()}")


def thread_of(chat: Chat, call: Call) -> int:
    """The topic that a message goes to, 0 for none or General. Raises ApiError 400 when it cannot."""
    thread = call.integer("message_thread_id")
    if thread == 0:
        if chat.is_forum and chat.topics[1].closed and not chat.is_admin(call.bot.id):
            raise bad_request("TOPIC_CLOSED")
        return 0
    # General cannot be named when sending, although it has the number 1.
    if not chat.is_forum or thread == 1 or thread not in chat.topics:
        raise bad_request("message thread not found")
    topic = chat.topics[thread]
    if topic.deleted:
        raise bad_request("TOPIC_DELETED")
    if topic.closed and not chat.is_admin(call.bot.id):
        raise bad_request("TOPIC_CLOSED")
    return thread


def record_of(chat: Chat, message_id: int) -> Record | None:
    """A message that is still there."""
    record = chat.records.get(message_id)
    return None if record is None or record.deleted else record
