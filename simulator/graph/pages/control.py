"""`/control/graph/pages/…`: what people do in Messenger and Instagram, and what happens to their conversations."""

from __future__ import annotations

import time
from dataclasses import asdict

from aiohttp import web

from simulator.errors import invalid, not_found
from simulator.graph.control import graph_action, node_named
from simulator.graph.graph import Graph
from simulator.graph.model import JSON, Contact, Message, Node
from simulator.graph.pages import events
from simulator.graph.pages.files import TYPES, address_of, store
from simulator.graph.pages.sending import keep_files
from simulator.web.body import Body, reply


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    base = "/control/graph/pages/{node}"
    actions = {
        "people": add_person,
        "say": write,
        "echo": echo,
        "edit": edit,
        "delete": delete,
        "react": react,
        "read": read,
        "press": press,
        "control": control,
        "event": event,
    }
    return [web.post(f"{base}/{name}", graph_action(action)) for name, action in actions.items()]


def _account(graph: Graph, request: web.Request) -> Node:
    node = node_named(graph, request)
    if node.kind not in ("page", "instagram"):
        raise invalid("this is neither a page nor an Instagram account")
    return node


def _person(graph: Graph, node: Node, person_id: str) -> Contact:
    contact = graph.contacts.get(f"{node.id}:{person_id}")
    if contact is None:
        raise not_found("this person")
    return contact


def _message(graph: Graph, node: Node, message_id: str) -> tuple[Message, Contact]:
    message = graph.messages.get(message_id)
    if message is None or message.node_id != node.id:
        raise not_found("this message")
    return message, _person(graph, node, message.contact_id)


def add_person(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """A person as this account knows them: `id`, `name`, `username`, `unreachable` (blocked), `last_inbound` (seconds
    ago; left out: never), `refused`: fields of the profile that may not be read. Named again, they change."""
    node = _account(graph, request)
    person_id = body.get("id", str, "") or graph.new_id(17)
    contact = graph.contacts.get(f"{node.id}:{person_id}")
    if contact is None:
        contact = Contact(person_id, node.id, body.get("name", str, "Somebody"))
        graph.contacts[contact.key] = contact
    contact.name = body.get("name", str, contact.name)
    contact.username = body.get("username", str, contact.username)
    contact.unreachable = body.get("unreachable", str, contact.unreachable)
    if "last_inbound" in body.values:
        contact.last_inbound = time.time() - float(body.values["last_inbound"])
    events.set_profile(graph, node, contact, list(body.get("refused", list, [])))
    return reply(asdict(contact), 201)


def write(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """Something that a person (`from`) sends: `text`, a file (multipart `file`, or `content` with `mime_type`) of a
    `kind` (image, video, audio, file, story_mention), `reply_to`, and in `message` anything else that Meta's object may
    hold."""
    node = _account(graph, request)
    contact = _person(graph, node, body.get("from", str))
    content: JSON = {"mid": ("m_" if node.kind == "page" else "aWdf") + graph.new_id(28)}
    if text := body.get("text", str, ""):
        content["text"] = text
    if quoted := body.get("reply_to", str, ""):
        content["reply_to"] = {"mid": quoted}
    content |= body.get("message", dict, {})
    kind, files = "text", []
    if body.files or "content" in body.values:
        upload = body.upload()
        mime = upload.mime_type or "application/octet-stream"
        kind = body.get("kind", str, "") or next((name for name in TYPES if mime.startswith(name)), "file")
        file = store(graph, node, kind if kind in TYPES else "image", upload.name, mime, upload.data)
        url = address_of(graph, file, f"{request.scheme}://{request.host}")
        content["attachments"] = [{"type": kind, "payload": {"url": url}}]
        files = [file.id]
    elif content.get("attachments"):
        kind = str(content["attachments"][0].get("type", "attachment"))
    contact.last_inbound = time.time()
    payload = {name: value for name, value in content.items() if name != "mid"}
    kept = Message(content["mid"], node.id, contact.id, False, kind, str(content.get("text", "")), time.time(), payload)
    if files:
        keep_files(graph, node, kept, files)
    graph.add_message(kept)
    notified = events.emit(graph, node, contact, "message", content, at=kept.at)
    return reply({"id": kept.id, "notified": notified}, 201)


def echo(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """A message (`text`) that somebody sends a person (`to`) from elsewhere: from the page's own inbox, or from another
    application (`app_id`)."""
    node = _account(graph, request)
    contact = _person(graph, node, body.get("to", str))
    app_id = body.get("app_id", str, events.inbox_of(node))
    mid = ("m_" if node.kind == "page" else "aWdf") + graph.new_id(28)
    text = body.get("text", str)
    kept = Message(mid, node.id, contact.id, True, "text", text, time.time(), {"text": text}, state="sent")
    kept.origin = "inbox" if app_id == events.inbox_of(node) else app_id
    graph.add_message(kept)
    events.echo(graph, node, contact, kept, app_id)
    return reply({"id": kept.id}, 201)


def edit(graph: Graph, body: Body, request: web.Request) -> JSON:
    """A person changes a message of theirs (`message_id`) into `text`."""
    node = _account(graph, request)
    message, contact = _message(graph, node, body.get("message_id", str))
    if message.outgoing:
        raise invalid("only a person's own message can be changed")
    number = int(message.payload.get("num_edit", 0)) + 1
    message.text, message.edited = body.get("text", str), True
    message.payload |= {"text": message.text, "num_edit": number}
    graph.show(message)
    content = {"mid": message.id, "text": message.text, "num_edit": number}
    return {"notified": events.emit(graph, node, contact, "message_edit", content)}


def delete(graph: Graph, body: Body, request: web.Request) -> JSON:
    """A person takes a message of theirs back (`message_id`)."""
    node = _account(graph, request)
    message, contact = _message(graph, node, body.get("message_id", str))
    message.deleted, message.text = True, ""
    graph.show(message)
    content = {"mid": message.id, "is_deleted": True}
    return {"notified": events.emit(graph, node, contact, "message", content, from_node=message.outgoing)}


def react(graph: Graph, body: Body, request: web.Request) -> JSON:
    """A person reacts to a message (`message_id`) with `emoji`; an empty one takes it back."""
    node = _account(graph, request)
    message, contact = _message(graph, node, body.get("message_id", str))
    emoji = body.get("emoji", str, "")
    content: JSON = {"mid": message.id, "action": "react" if emoji else "unreact"}
    if emoji:
        content |= {"reaction": "other", "emoji": emoji}
    message.reactions = {name: value for name, value in message.reactions.items() if name != contact.id}
    if emoji:
        message.reactions[contact.id] = emoji
    contact.last_inbound = time.time()
    graph.show(message)
    return {"notified": events.emit(graph, node, contact, "reaction", content)}


def read(graph: Graph, body: Body, request: web.Request) -> JSON:
    """A person (`from`) reads what they were sent."""
    node = _account(graph, request)
    return {"notified": events.read(graph, node, _person(graph, node, body.get("from", str)))}


def press(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """A person (`from`) presses a button or a choice: `payload`, `title`; `quick` says that it is a choice, which is
    said as a message."""
    node = _account(graph, request)
    contact = _person(graph, node, body.get("from", str))
    title, payload = body.get("title", str), body.get("payload", str)
    mid = ("m_" if node.kind == "page" else "aWdf") + graph.new_id(28)
    contact.last_inbound = time.time()
    graph.add_message(Message(mid, node.id, contact.id, False, "press", title, time.time()))
    if body.get("quick", bool, False):
        content: JSON = {"mid": mid, "text": title, "quick_reply": {"payload": payload}}
        events.emit(graph, node, contact, "message", content)
    else:
        content = {"mid": mid, "title": title, "payload": payload}
        events.emit(graph, node, contact, "postback", content)
    return reply({"id": mid}, 201)


def control(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Another application comes in charge of the conversation with a person (`of`): `app_id`, by default the account's
    own inbox; an empty one lets anybody answer. The application that hears of it is told by `how` (pass, take)."""
    node = _account(graph, request)
    contact = _person(graph, node, body.get("of", str))
    app_id, before = body.get("app_id", str, events.inbox_of(node)), events.owner_of(node, contact)
    events.set_owner(node, contact, app_id)
    how = body.get("how", str, "take")
    if how not in ("pass", "take"):
        raise invalid("how must be pass or take")
    content = {"previous_owner_app_id": before or None, "new_owner_app_id": app_id or None}
    return {"notified": events.emit(graph, node, contact, f"{how}_thread_control", content)}


def event(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Any other event of a person (`from`): its `name` and `content`."""
    node = _account(graph, request)
    contact = _person(graph, node, body.get("from", str))
    return {"notified": events.emit(graph, node, contact, body.get("name", str), body.get("content", dict))}
