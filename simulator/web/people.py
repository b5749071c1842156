"""`/control/people…` and `/control/chats…`: who there is, what they do, and what stands in a chat."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator import membership, people
from simulator.engine import Engine
from simulator.errors import invalid
from simulator.model import JSON, PRESENT, Chat, Member, Person, Topic
from simulator.web.body import Body, answering, reply


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    actions = {
        "start": start,
        "say": write,
        "press": press,
        "block": lambda engine, body, request: block(engine, body, request, blocked=True),
        "unblock": lambda engine, body, request: block(engine, body, request, blocked=False),
        "edit": edit,
        "delete": delete,
        "forward": forward,
        "photo": lambda engine, body, request: send_file(engine, body, request, "photo"),
        "document": lambda engine, body, request: send_file(engine, body, request, "document"),
    }
    return [
        web.get("/control/people", answering(list_people)),
        web.post("/control/people", answering(add_person)),
        web.patch("/control/people/{person}", answering(change_person)),
        web.get("/control/people/{person}/chats", answering(chats_of)),
        *[web.post(f"/control/people/{{person}}/{name}", answering(action)) for name, action in actions.items()],
        web.get("/control/chats", answering(list_chats)),
        web.post("/control/chats", answering(add_chat)),
        web.get("/control/chats/{chat}", answering(show_chat)),
        web.get("/control/chats/{chat}/messages", answering(transcript)),
        web.put("/control/chats/{chat}/members/{member}", answering(set_member)),
        web.post("/control/chats/{chat}/migrate", answering(migrate)),
        web.post("/control/chats/{chat}/topics", answering(add_topic)),
        web.patch("/control/chats/{chat}/topics/{topic}", answering(change_topic)),
    ]


def _person(engine: Engine, request: web.Request) -> Person:
    return engine.world.person(request.match_info["person"])


def _chat(engine: Engine, body: Body, person: Person, name: str = "chat") -> Chat:
    return people.chat_for(engine.world, person, body.reference(name))


def list_people(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Everybody."""
    return {"people": [{**person.user(), "deactivated": person.deactivated} for person in engine.world.people.values()]}


def add_person(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """Somebody: `first_name`, perhaps `last_name`, `username`, `language_code`, `is_premium`, `id`."""
    person = engine.world.add_person(
        body.get("first_name", str, "Sam"),
        body.get("id", int, 0),
        last_name=body.get("last_name", str, ""),
        username=body.get("username", str, ""),
        language_code=body.get("language_code", str, "en"),
        is_premium=body.get("is_premium", bool, False),
    )
    return reply(person.user(), 201)


def change_person(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Change `first_name`, `last_name`, `language_code`, `is_premium`; `deactivated` deletes."""
    person = _person(engine, request)
    for name in ("first_name", "last_name", "language_code"):
        setattr(person, name, body.get(name, str, getattr(person, name)))
    for name in ("is_premium", "deactivated"):
        setattr(person, name, body.get(name, bool, getattr(person, name)))
    engine.world.touch()
    return {**person.user(), "deactivated": person.deactivated}


def chats_of(engine: Engine, body: Body, request: web.Request) -> JSON:
    """A person's list of chats: each bot, then their groups; with the last message."""
    world, person = engine.world, _person(engine, request)
    listed = [{**_entry(engine, world.private_chat(bot, person)), "bot": bot.user()} for bot in world.bots.values()]
    listed += [_entry(engine, chat) for chat in world.groups.values() if chat.is_member(person.id)]
    return {"chats": listed}


def _entry(engine: Engine, chat: Chat) -> JSON:
    last = next((record.message for record in reversed(chat.records.values()) if not record.deleted), None)
    state = {"started": chat.started, "blocked": chat.blocked, "migrated_to": chat.migrated_to or None}
    return {
        "chat": engine.world.chat_info(chat),
        "bot_id": chat.bot_id or None,
        "last_message": last,
        **state,
    }


def start(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Open a link (`link`), or a bot (`bot`, `payload`), and press START; a startgroup link needs `chat`."""
    world, person = engine.world, _person(engine, request)
    link = body.get("link", str, "")
    if link:
        username, payload, kind = people.deep_link(link)
        bot = world.bot(username)
    else:
        bot, payload, kind = world.bot(body.reference("bot")), body.get("payload", str, ""), "start"
    if kind == "startgroup":
        reference = body.reference("chat")
        if reference is None:
            raise invalid("chat is required: which group to add the bot to")
        return people.start_in_group(world, person, bot, world.group(reference), payload).message
    return people.start(world, person, bot, payload).message


def write(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Send a text: `text`, `chat` (a bot or a group; default the first bot), `reply_to`, `thread_id`."""
    person = _person(engine, request)
    chat = _chat(engine, body, person)
    return people.write(engine.world, person, chat, body.get("text", str), **_where(body)).message


def _where(body: Body) -> dict[str, int]:
    return {"reply_to": body.get("reply_to", int, 0), "thread_id": body.get("thread_id", int, 0)}


def press(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Press a button: `chat`, `message_id`, and `data` or `text` (neither where there is one button)."""
    person = _person(engine, request)
    data, text = body.get("data", str, None), body.get("text", str, None)
    chat = _chat(engine, body, person)
    pressed = people.press(engine.world, person, chat, body.get("message_id", int), data, text)
    return {"callback_query_id": pressed.id, "data": pressed.data}


def block(engine: Engine, body: Body, request: web.Request, *, blocked: bool) -> JSON:
    """Block or unblock `bot`."""
    people.block(engine.world, _person(engine, request), engine.world.bot(body.reference("bot")), blocked=blocked)
    return {"blocked": blocked}


def edit(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Change an own message: `chat`, `message_id`, `text`."""
    person = _person(engine, request)
    chat = _chat(engine, body, person)
    return people.edit(engine.world, person, chat, body.get("message_id", int), body.get("text", str)).message


def delete(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Delete a message: `chat`, `message_id`."""
    person = _person(engine, request)
    people.delete(engine.world, person, _chat(engine, body, person), body.get("message_id", int))
    return {"status": "ok"}


def forward(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Forward `message_id` of `from_chat` to `chat`."""
    person = _person(engine, request)
    source = _chat(engine, body, person, "from_chat")
    target = _chat(engine, body, person)
    return people.forward(engine.world, person, source, body.get("message_id", int), target).message


def send_file(engine: Engine, body: Body, request: web.Request, kind: str) -> JSON:
    """Send a picture or document: part `file`, or `content` in base64 with `file_name`; `caption`, `chat`."""
    person = _person(engine, request)
    chat = _chat(engine, body, person)
    caption = body.get("caption", str, "")
    record = people.send_file(engine.world, engine.files, person, chat, kind, body.upload(), caption, **_where(body))
    return record.message


def list_chats(engine: Engine, body: Body, request: web.Request) -> JSON:
    """All groups, supergroups and channels."""
    return {"chats": [describe_chat(engine, chat) for chat in engine.world.groups.values()]}


def describe_chat(engine: Engine, chat: Chat) -> JSON:
    """A group with its members and topics."""
    present = [membership.member_info(engine.world, chat, key) for key in chat.members]
    topics = [
        {"id": topic.id, "name": topic.name, "closed": topic.closed, "deleted": topic.deleted}
        for topic in chat.topics.values()
    ]
    return {
        **engine.world.chat_info(chat),
        "members": present,
        "topics": topics,
        "migrated_to": chat.migrated_to or None,
        "migrate_to_chat_id": chat.migrated_to or None,
    }


def _group(engine: Engine, request: web.Request) -> Chat:
    return engine.world.group(request.match_info["chat"])


def show_chat(engine: Engine, body: Body, request: web.Request) -> JSON:
    """One group."""
    return describe_chat(engine, _group(engine, request))


def add_chat(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """A new chat: `type`, `title`, `username`, `is_forum`, `creator`, `admins`, `members`, `anonymous`,
    `bots`.
    """
    for name in ("admins", "members", "anonymous", "bots"):
        body.get(name, list, [])
    for name, kind in (("type", str), ("title", str), ("username", str), ("id", int)):
        body.get(name, kind, kind())
    return reply(describe_chat(engine, membership.create_chat(engine.world, body.values)), 201)


def transcript(engine: Engine, body: Body, request: web.Request) -> JSON:
    """What stands in a chat; for a person's id the private chat with `?bot=` (default the first).
    `?deleted=1` shows those too.
    """
    world, reference = engine.world, request.match_info["chat"]
    if reference.startswith("-") or (world.find_name(reference) or 0) < 0:
        chat = world.group(reference)
    else:
        chat = world.private_chat(world.bot(request.query.get("bot")), world.person(reference))
    everything = request.query.get("deleted") in ("1", "true")
    messages: list[Any] = [
        {**record.message, "deleted": record.deleted, "edits": record.edits, "keyboard": record.keyboard}
        for record in chat.records.values()
        if everything or not record.deleted
    ]
    limit = request.query.get("limit", "0")
    if limit.isdecimal() and int(limit):
        messages = messages[-int(limit) :]
    state = {"started": chat.started, "blocked": chat.blocked, "migrated_to": chat.migrated_to or None}
    return {"chat": world.chat_info(chat), **state, "messages": messages}


def set_member(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Give a person or bot a place: `status`, `anonymous`, `title`, `can_send`, `forbidden`; `by` is who did it."""
    world, chat, reference = engine.world, _group(engine, request), request.match_info["member"]
    person_id = int(reference) if reference.isdecimal() else world.find_name(reference)
    member_id = person_id if person_id in world.bots_by_id else world.person(reference).id
    assert member_id is not None
    by = body.reference("by")
    actor = world.person(by).id if by is not None else _somebody(engine, chat)
    membership.change_membership(
        world,
        chat,
        member_id,
        body.get("status", str),
        actor,
        anonymous=body.get("anonymous", bool, False),
        title=body.get("title", str, ""),
        can_send=body.get("can_send", bool, True),
        forbidden=body.get("forbidden", list, []),
    )
    return membership.member_info(world, chat, member_id)


def _somebody(engine: Engine, chat: Chat) -> int:
    """The creator, or anyone present."""
    here = [
        (member.status != "creator", key) for key, member in chat.members.items() if _is_person(engine, key, member)
    ]
    if not here:
        raise invalid("nobody is in the chat")
    return min(here)[1]


def _is_person(engine: Engine, key: int, member: Member) -> bool:
    return key in engine.world.people and member.status in PRESENT


def migrate(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Upgrade a basic group to a supergroup; the answer is the new one."""
    return describe_chat(engine, membership.migrate(engine.world, _group(engine, request)))


def _topic(topic: Topic) -> JSON:
    return {"id": topic.id, "name": topic.name, "closed": topic.closed, "deleted": topic.deleted}


def add_topic(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """A topic in a forum: `name`."""
    chat = _group(engine, request)
    topic = membership.create_topic(engine.world, chat, body.get("name", str), _somebody(engine, chat))
    return reply(_topic(topic), 201)


def change_topic(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Close, reopen, rename, delete: `closed`, `name`, `deleted`."""
    chat, number = _group(engine, request), request.match_info["topic"]
    if not number.isdecimal():
        raise invalid("a topic is named by its number")
    return _topic(membership.change_topic(engine.world, chat, int(number), _somebody(engine, chat), body.values))
