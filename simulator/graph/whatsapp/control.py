"""`/control/graph/numbers/…`: what people with WhatsApp do, and what WhatsApp itself reports."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from aiohttp import web

from simulator.errors import invalid, not_found
from simulator.graph.control import graph_action, node_named
from simulator.graph.graph import Graph
from simulator.graph.model import JSON, Contact, Message, Node
from simulator.graph.whatsapp.media import KINDS, address_of, store
from simulator.graph.whatsapp.numbers import contact_block, emit, find_contact, waba_of
from simulator.graph.whatsapp.sending import report_state
from simulator.web.body import Body, reply

_STATES = ("sent", "delivered", "read", "played", "failed", "deleted")


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    base = "/control/graph/numbers/{node}"
    return [
        web.post(f"{base}/people", graph_action(add_person)),
        web.post(f"{base}/inbound", graph_action(inbound)),
        web.post(f"{base}/echo", graph_action(echo)),
        web.post(f"{base}/status", graph_action(status)),
        web.post(f"{base}/number-change", graph_action(change_number)),
        web.post(f"{base}/change", graph_action(change)),
        web.get("/control/graph/media/{node}", graph_action(list_media)),
    ]


def _person(graph: Graph, number: Node, named: str) -> Contact:
    contact = find_contact(graph, number, named)
    if contact is None:
        raise not_found("this person")
    return contact


def add_person(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """A person: `name`, `number` (digits; left out for one who hides it), `bsuid`, `parent_bsuid`, `username`,
    `unreachable`, `last_inbound` (seconds ago; left out: never). Named again, they change."""
    number = node_named(graph, request)
    digits, bsuid = body.get("number", str, ""), body.get("bsuid", str, "")
    if not digits and not bsuid:
        raise invalid("a person has a number or a bsuid")
    contact = find_contact(graph, number, digits or bsuid)
    if contact is None:
        contact = Contact(digits or bsuid, number.id, body.get("name", str, "Somebody"))
        graph.contacts[contact.key] = contact
    contact.name = body.get("name", str, contact.name)
    contact.number, contact.username = digits or contact.number, body.get("username", str, contact.username)
    contact.unreachable = body.get("unreachable", str, contact.unreachable)
    for kind in ("bsuid", "parent_bsuid"):
        if body.values.get(kind):
            contact.other_ids[kind] = body.get(kind, str)
    if "last_inbound" in body.values:
        contact.last_inbound = time.time() - float(body.values["last_inbound"])
    return reply(asdict(contact), 201)


def inbound(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """Something that a person (`from`) sent: `message`, WhatsApp's own object without its id and time, with its `type`.
    A file (`file`, or `content` and `mime_type`) becomes the media of that type. `field` may be `standby`."""
    number = node_named(graph, request)
    contact = _person(graph, number, body.get("from", str))
    given: JSON = dict(body.get("message", dict, {}))
    kind = str(given.get("type", "text"))
    message: JSON = {"id": "wamid." + graph.new_id(28), "timestamp": str(int(time.time()))} | given
    message["type"] = kind
    if contact.number:
        message["from"] = contact.number
    if contact.other_ids.get("bsuid"):
        message["from_user_id"] = contact.other_ids["bsuid"]
    if kind in KINDS and (body.files or "content" in body.values):
        message[kind] = _media(graph, number, body, request) | message.get(kind, {})
    contact.last_inbound = time.time()
    kept = _keep(graph, number, contact, message, outgoing=False)
    value = {"contacts": [contact_block(contact)], "messages": [message]}
    notified = emit(graph, number, body.get("field", str, "messages"), value)
    media_id = message[kind].get("id") if kind in KINDS and kind in message else None
    return reply({"id": kept.id, "notified": notified, "media_id": media_id}, 201)


def _media(graph: Graph, number: Node, body: Body, request: web.Request) -> JSON:
    upload = body.upload()
    mime = upload.mime_type or "application/octet-stream"
    media = store(graph, number, upload.name, mime, upload.data)
    block: JSON = {"id": media.id, "mime_type": mime, "sha256": media.fields["sha256"]}
    block["url"] = address_of(graph, media, f"{request.scheme}://{request.host}")
    return block


def _keep(graph: Graph, number: Node, contact: Contact, message: JSON, *, outgoing: bool) -> Message:
    """Keeps a message for the phone page; one that acts on another changes that one."""
    kind, block = str(message["type"]), message.get(message["type"])
    block = block if isinstance(block, dict) else {}
    text = str(block.get("body") or block.get("caption") or block.get("emoji") or "")
    kept = Message(message["id"], number.id, contact.id, outgoing, kind, text, time.time(), message)
    target = graph.messages.get(str(block.get("message_id") or block.get("original_message_id") or ""))
    if kind == "reaction" and target is not None:
        target.reactions[contact.id] = text
        graph.show(target)
        return kept
    if kind in ("edit", "revoke") and target is not None:
        target.edited, target.deleted = kind == "edit" or target.edited, kind == "revoke"
        new = block.get("message")
        if isinstance(new, dict):
            target.text = str(new.get("text", {}).get("body", "") if new.get("type") == "text" else target.text)
        graph.show(target)
        return kept
    return graph.add_message(kept)


def echo(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """A message (`message`) that somebody wrote to a person (`to`) in the business's own phone."""
    number = node_named(graph, request)
    contact = _person(graph, number, body.get("to", str))
    given: JSON = dict(body.get("message", dict))
    message: JSON = {"id": "wamid." + graph.new_id(28), "timestamp": str(int(time.time()))} | given
    message["type"] = str(given.get("type", "text"))
    message["from"] = "".join(filter(str.isdigit, str(number.fields["display_phone_number"])))
    if contact.number:
        message["to"] = contact.number
    if contact.other_ids.get("bsuid"):
        message["to_user_id"] = contact.other_ids["bsuid"]
    kept = _keep(graph, number, contact, message, outgoing=True)
    kept.origin = "phone"
    emit(graph, number, "smb_message_echoes", {"message_echoes": [message]})
    return reply({"id": kept.id}, 201)


def status(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Reports a `state` of a message that was sent (`message_id`), with `code` and `details` of a failure."""
    node_named(graph, request)
    message, state = graph.messages.get(body.get("message_id", str)), body.get("state", str)
    if message is None or not message.outgoing or state not in _STATES:
        raise not_found("this message or state")
    report_state(graph, message, state, body.get("code", int, 0), body.get("details", str, ""))
    return asdict(message)


def change_number(graph: Graph, body: Body, request: web.Request) -> JSON:
    """A person (`from`) has another `number` or `bsuid`: WhatsApp tells it as a system message."""
    number = node_named(graph, request)
    contact = _person(graph, number, body.get("from", str))
    old_number, old_bsuid = contact.number, contact.other_ids.get("bsuid", "")
    new_number, new_bsuid = body.get("number", str, ""), body.get("bsuid", str, "")
    system: JSON = {"body": f"User {contact.name} changed", "type": "user_changed_number"}
    if new_number:
        contact.number = new_number
        system["wa_id"] = new_number
    else:
        system["type"] = "user_changed_user_id"
    if new_bsuid:
        contact.other_ids["bsuid"] = new_bsuid
        system |= {"user_id": new_bsuid, "previous_user_id": old_bsuid}
    message: JSON = {"id": "wamid." + graph.new_id(28), "timestamp": str(int(time.time())), "type": "system"}
    message["system"] = system
    if old_number:
        message["from"] = old_number
    if old_bsuid:
        message["from_user_id"] = old_bsuid
    emit(graph, number, "messages", {"messages": [message]})
    return asdict(contact)


def change(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Any other change: `field` and its `value` (calls, user_preferences, messaging_handovers, account_update, …). What
    concerns a number gets its metadata; with `plain` nothing is added."""
    number = node_named(graph, request)
    field, value = body.get("field", str), body.get("value", dict)
    if body.get("plain", bool, False):
        waba = waba_of(graph, number)
        notified = graph.emit(waba, field, "changes", {"field": field, "value": value})
    else:
        notified = emit(graph, number, field, value)
    result: dict[str, Any] = {"notified": notified}
    return result


def list_media(graph: Graph, body: Body, request: web.Request) -> JSON:
    """The files of a number, oldest first: what people sent, and what was uploaded."""
    number = node_named(graph, request)
    kept = [node for node in graph.nodes.values() if node.kind == "media" and node.parent_id == number.id]
    return {"media": [{"id": node.id, "name": node.hidden["name"]} | node.fields for node in kept]}
