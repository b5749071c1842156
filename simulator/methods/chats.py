"""Asking about chats and members, and leaving."""

from __future__ import annotations

from simulator.access import chat_of, require_member
from simulator.errors import bad_request
from simulator.membership import PERMISSIONS, change_membership, member_info
from simulator.methods import Context
from simulator.model import JSON
from simulator.parameters import Call

GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


def get_chat(context: Context, call: Call) -> JSON:
    """A chat in full."""
    chat = chat_of(context.world, call)
    if chat.type == "private" and not chat.records and not chat.started:
        raise bad_request("chat not found")
    require_member(chat, call.bot)
    info = {**context.world.chat_info(chat), "accent_color_id": 0, "max_reaction_count": 11}
    info["accepted_gift_types"] = dict.fromkeys(GIFTS, False)
    if chat.username:
        info["active_usernames"] = [chat.username]
    if chat.type in ("group", "supergroup"):
        info["permissions"] = dict.fromkeys(PERMISSIONS, True)
    return info


def get_chat_member(context: Context, call: Call) -> JSON:
    """Somebody's place in a chat; `left` for a known person who is not there."""
    chat = chat_of(context.world, call)
    require_member(chat, call.bot)
    user_id = call.integer("user_id")
    if user_id not in context.world.people and user_id not in context.world.bots_by_id:
        raise bad_request("PARTICIPANT_ID_INVALID" if user_id else "invalid user_id specified")
    return member_info(context.world, chat, user_id)


def get_chat_member_count(context: Context, call: Call) -> int:
    """How many are in the chat, bots included."""
    chat = chat_of(context.world, call)
    require_member(chat, call.bot)
    return sum(chat.is_member(member_id) for member_id in chat.members)


def get_chat_administrators(context: Context, call: Call) -> list[JSON]:
    """Creator and administrators, without other bots."""
    chat = chat_of(context.world, call)
    require_member(chat, call.bot)
    if chat.type == "private":
        raise bad_request("there are no administrators in the private chat")
    return [
        member_info(context.world, chat, member_id)
        for member_id in chat.members
        if chat.is_admin(member_id) and (member_id not in context.world.bots_by_id or member_id == call.bot.id)
    ]


def leave_chat(context: Context, call: Call) -> bool:
    """The bot leaves a group or channel."""
    chat = chat_of(context.world, call)
    require_member(chat, call.bot)
    if chat.type == "private":
        raise bad_request("chat member status can't be changed in private chats")
    change_membership(context.world, chat, call.bot.id, "left", actor=call.bot.id)
    return True


METHODS = {
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "getchatmembercount": get_chat_member_count,
    "getchatmemberscount": get_chat_member_count,
    "getchatadministrators": get_chat_administrators,
    "leavechat": leave_chat,
}
