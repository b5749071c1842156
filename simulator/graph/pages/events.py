"""What applications are told of a page's and an Instagram account's conversations."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simulator.graph.model import JSON, Callback, Contact, Message, Node

if TYPE_CHECKING:
    from simulator.graph.graph import Graph

PAGE_INBOX = "263902037430900"
INSTAGRAM_INBOX = "1217981644879628"
_FIELDS = {
    "page": {
        "message": "messages",
        "echo": "message_echoes",
        "message_edit": "message_edits",
        "reaction": "message_reactions",
        "read": "message_reads",
        "delivery": "message_deliveries",
        "postback": "messaging_postbacks",
        "referral": "messaging_referrals",
        "optin": "messaging_optins",
    },
    "instagram": {
        "message": "messages",
        "echo": "messages",
        "message_edit": "message_edit",
        "reaction": "message_reactions",
        "read": "messaging_seen",
        "postback": "messaging_postbacks",
        "referral": "messaging_referral",
        "optin": "messaging_optins",
    },
}
_CONTROL = {"page": "messaging_handovers", "instagram": "messaging_handover"}


def owner_of(node: Node, contact: Contact) -> str:
    """The application that is in charge of a conversation; empty where any may answer."""
    return str(node.hidden.get("control", {}).get(contact.id, ""))


def set_owner(node: Node, contact: Contact, app_id: str) -> None:
    """Puts an application in charge."""
    node.hidden.setdefault("control", {})[contact.id] = app_id


def inbox_of(node: Node) -> str:
    """Meta's own application in which people answer."""
    return PAGE_INBOX if node.kind == "page" else INSTAGRAM_INBOX


def emit(
    graph: Graph, node: Node, contact: Contact, name: str, content: Any, *, from_node: bool = False, at: float = 0.0
) -> int:
    """Tells an event of a conversation, `standby` to those who are not in charge; how many were told."""
    sides = [{"id": contact.id}, {"id": node.id}]
    if from_node:
        sides.reverse()
    word = "message" if name == "echo" else name
    value: JSON = {"sender": sides[0], "recipient": sides[1], "timestamp": int((at or time.time()) * 1000)}
    value[word] = content
    owner, count = owner_of(node, contact), 0
    for app_id, callback in heard_by(graph, node).items():
        standby = bool(owner) and owner != app_id and "thread_control" not in name
        field = "standby" if standby else _FIELDS[node.kind].get(name, _CONTROL[node.kind])
        alone = replace(node, subscribed={app_id: callback})
        count += graph.emit(alone, field, "standby" if standby else "messaging", value)
    return count


def heard_by(graph: Graph, node: Node) -> dict[str, Callback]:
    """The applications that hear of an account: by its own subscription, an Instagram account also by its page's."""
    page = graph.nodes.get(node.parent_id) if node.kind == "instagram" else None
    if node.subscribed or page is None:
        return dict(node.subscribed)
    return {app_id: Callback([], callback.override_url) for app_id, callback in page.subscribed.items()}


def echo(graph: Graph, node: Node, contact: Contact, message: Message, app_id: str) -> None:
    """Tells what went out in the account's name."""
    content: JSON = {"mid": message.id, "is_echo": True}
    if app_id:
        content["app_id"] = int(app_id) if app_id.isdecimal() else app_id
    content |= message.payload
    if message.client_ref:
        content["metadata"] = message.client_ref
    emit(graph, node, contact, "echo", content, from_node=True, at=message.at)


def delivered(graph: Graph, node: Node, contact: Contact, message: Message) -> None:
    """Reports that a message has arrived; Instagram does not tell."""
    message.state = "delivered"
    graph.show(message)
    if node.kind == "page":
        content = {"mids": [message.id], "watermark": int(message.at * 1000)}
        emit(graph, node, contact, "delivery", content)


def read(graph: Graph, node: Node, contact: Contact) -> int:
    """The person has read everything that went out to them."""
    mine = [each for each in graph.messages.values() if each.node_id == node.id and each.contact_id == contact.id]
    unread = [each for each in mine if each.outgoing and each.state != "read"]
    for message in unread:
        message.state = "read"
        graph.show(message)
    last = next((each for each in reversed(mine) if each.outgoing), None)
    if last is None or not unread:
        return 0
    content = {"watermark": int(time.time() * 1000)} if node.kind == "page" else {"mid": last.id}
    return emit(graph, node, contact, "read", content)


def set_profile(graph: Graph, node: Node, contact: Contact, refused: list[str] | None = None) -> None:
    """Has a person's profile found by their id, without the fields that may not be read."""
    first, _, last = contact.name.partition(" ")
    fields: JSON = {"name": contact.name, "first_name": first, "last_name": last}
    if contact.username:
        fields["username"] = contact.username
    hidden = {"refused": refused or []}
    graph.nodes[contact.id] = Node(contact.id, "person", node.parent_id or node.id, fields=fields, hidden=hidden)
