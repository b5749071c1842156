"""Groups: who comes, goes and rules, topics, becoming a supergroup; with the updates that bots get."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from simulator.errors import ControlError, invalid
from simulator.model import JSON, PRESENT, Chat, Member, Topic
from simulator.world import ANONYMOUS, World

STATUSES = ("creator", "administrator", "member", "restricted", "left", "kicked")
RIGHTS = (
    "can_manage_chat",
    "can_change_info",
    "can_delete_messages",
    "can_invite_users",
    "can_restrict_members",
    "can_promote_members",
    "can_manage_video_chats",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
)
CHANNEL_RIGHTS = ("can_post_messages", "can_edit_messages", "can_manage_direct_messages")
SUPERGROUP_RIGHTS = ("can_pin_messages", "can_manage_topics", "can_manage_tags")
SENDING = (
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_react_to_messages",
)
PERMISSIONS = (*SENDING, "can_edit_tag", "can_change_info", "can_invite_users", "can_pin_messages", "can_manage_topics")


def member_info(world: World, chat: Chat, user_id: int) -> JSON:
    """Somebody's place as a Bot API `ChatMember`."""
    return _describe(world, chat, chat.members.get(user_id) or Member("left"), user_id)


def _rights(chat: Chat) -> tuple[str, ...]:
    """The rights that an administrator of this kind of chat can have."""
    if chat.type == "channel":
        return RIGHTS + CHANNEL_RIGHTS
    return RIGHTS + (SUPERGROUP_RIGHTS if chat.type == "supergroup" else ("can_pin_messages",))


def _describe(world: World, chat: Chat, member: Member, user_id: int) -> JSON:
    info: JSON = {"user": world.user_info(user_id), "status": member.status}
    if member.status == "creator":
        info["is_anonymous"] = member.anonymous
    elif member.status == "administrator":
        info |= {"can_be_edited": False, "is_anonymous": member.anonymous, **dict.fromkeys(_rights(chat), True)}
    elif member.status == "restricted":
        info |= {"is_member": True, "until_date": 0, **dict.fromkeys(PERMISSIONS, False)}
        info |= dict.fromkeys(SENDING, member.can_send)
    elif member.status == "kicked":
        info["until_date"] = 0
    if member.title and member.status in ("creator", "administrator"):
        info["custom_title"] = member.title
    return info


def change_membership(
    world: World,
    chat: Chat,
    user_id: int,
    status: str,
    actor: int,
    *,
    anonymous: bool = False,
    title: str = "",
    can_send: bool = True,
    forbidden: Sequence[str] = (),
) -> None:
    """Give somebody a place in a group or channel, or take it; writes the service message and queues the
    updates.
    """
    if status not in STATUSES:
        raise invalid(f"status must be one of {', '.join(STATUSES)}")
    if chat.migrated_to:
        raise invalid("the group was upgraded")
    world.user_info(user_id)
    old = chat.members.get(user_id) or Member("left")
    if any(kind not in ("photo", "document") for kind in forbidden):
        raise invalid("only photo and document can be forbidden")
    new = Member(status, anonymous, title, can_send, list(forbidden))
    chat.members[user_id] = new
    change: JSON = {
        "chat": world.chat_info(chat),
        "from": world.user_info(actor),
        "date": int(time.time()),
        "old_chat_member": _describe(world, chat, old, user_id),
        "new_chat_member": _describe(world, chat, new, user_id),
    }
    bot = world.bots_by_id.get(user_id)
    if bot is not None:
        world.queue_update(bot, "my_chat_member", change, f"my {actor}")
    for member_id in list(chat.members):
        watcher = world.bots_by_id.get(member_id)
        if watcher is not None and watcher is not bot and chat.is_admin(member_id):
            world.queue_update(watcher, "chat_member", change, f"member {chat.id}")
    was, is_now = old.status in PRESENT, status in PRESENT
    if chat.type != "channel" and was != is_now:
        what = "new_chat_members" if is_now else "left_chat_member"
        user = world.user_info(user_id)
        content: JSON = {what: [user] if is_now else user}
        _service(world, chat, content, actor, also=bot.id if bot is not None and was else 0)
    world.touch()


def _service(world: World, chat: Chat, content: JSON, actor: int, also: int = 0) -> JSON:
    """A service message by somebody, told to the chat's bots and to one that just left."""
    record = world.post(chat, actor, content, {"from": world.user_info(actor)})
    for member_id in list(chat.members):
        bot = world.bots_by_id.get(member_id)
        if bot is not None and (chat.is_member(member_id) or member_id == also) and member_id != actor:
            world.queue_update(bot, "message", record.message, f"chat {chat.id}")
    return record.message


def create_chat(world: World, fields: dict[str, Any]) -> Chat:
    """A group, supergroup or channel with its people and bots (`creator`, `admins`, `members`, `bots`,
    `anonymous`).
    """
    bots = [world.bot(reference) for reference in fields.get("bots", [])]
    creator = world.person(fields["creator"]) if "creator" in fields else next(iter(world.people.values()), None)
    if creator is None:
        raise invalid("there is nobody to create it")
    admins = [world.person(reference) for reference in fields.get("admins", [])]
    members = [world.person(reference) for reference in fields.get("members", [])]
    hidden = {world.person(reference).id for reference in fields.get("anonymous", [])}
    chat = world.add_chat(
        fields.get("type", "group"),
        fields.get("title", "Group"),
        fields.get("username", ""),
        fields.get("id", 0),
        bool(fields.get("is_forum", False)),
    )
    chat.members[creator.id] = Member("creator", creator.id in hidden)
    for person in admins:
        chat.members[person.id] = Member("administrator", person.id in hidden)
    for person in members:
        chat.members.setdefault(person.id, Member("member"))
    if chat.type == "group":
        world.post(chat, creator.id, {"group_chat_created": True}, {"from": creator.user()})
    for bot in bots:
        change_membership(world, chat, bot.id, "administrator" if chat.type == "channel" else "member", creator.id)
    return chat


def migrate(world: World, chat: Chat) -> Chat:
    """Make a basic group a supergroup: a new id, both service messages, and the old id refused with the new
    one.
    """
    if chat.type != "group":
        raise invalid("only a basic group can be upgraded")
    if chat.migrated_to:
        raise ControlError(409, "already_migrated", "the group was upgraded before")
    people = [key for key in chat.members if key in world.people]
    actor = next((key for key in people if chat.members[key].status == "creator"), people[0])
    new = world.add_chat("supergroup", chat.title)
    new.members = {key: replace(old) for key, old in chat.members.items()}
    _service(world, chat, {"migrate_to_chat_id": new.id}, actor)
    chat.migrated_to = new.id
    head = {"from": ANONYMOUS, "sender_chat": world.chat_info(new)}
    record = world.post(new, actor, {"migrate_from_chat_id": chat.id}, head)
    world.announce(new, record)
    world.touch()
    return new


def create_topic(world: World, chat: Chat, name: str, actor: int) -> Topic:
    """A topic in a forum; its number is that of the service message that made it."""
    if not chat.is_forum:
        raise invalid("the chat is not a forum")
    content = {"forum_topic_created": {"name": name, "icon_color": 7322096}, "is_topic_message": True}
    content["message_thread_id"] = chat.next_message_id
    message = _service(world, chat, content, actor)
    topic = Topic(message["message_id"], name)
    chat.topics[topic.id] = topic
    world.touch()
    return topic


def change_topic(world: World, chat: Chat, topic_id: int, actor: int, changes: dict[str, Any]) -> Topic:
    """Close, reopen, rename or delete a topic (`closed`, `name`, `deleted`)."""
    if topic_id not in chat.topics:
        raise ControlError(404, "not_found", "there is no such topic")
    topic = chat.topics[topic_id]
    thread: JSON = {"message_thread_id": topic_id, "is_topic_message": True} if topic_id != 1 else {}
    if "name" in changes:
        topic.name = str(changes["name"])
        _service(world, chat, {**thread, "forum_topic_edited": {"name": topic.name}}, actor)
    if "closed" in changes and bool(changes["closed"]) != topic.closed:
        topic.closed = bool(changes["closed"])
        what = "forum_topic_closed" if topic.closed else "forum_topic_reopened"
        _service(world, chat, {**thread, what: {}}, actor)
    if changes.get("deleted"):
        topic.deleted = True
        for record in chat.records.values():
            if record.message.get("message_thread_id") == topic_id:
                record.deleted = True
    world.touch()
    return topic
