"""`POST /me/messages` of a page's token or of an Instagram account's, thread control, and people's profiles."""

from __future__ import annotations

import time
from typing import Any

from simulator.graph.edges import GraphCall, edge
from simulator.graph.errors import GraphError, bad_parameter
from simulator.graph.graph import Graph
from simulator.graph.model import JSON, Contact, Message, Node
from simulator.graph.pages import events
from simulator.graph.pages.files import TYPES, address_of, read_object

WINDOW, AGENT_WINDOW = 24 * 3600, 7 * 24 * 3600
TEXT_RATE, RECORDING_RATE = (300, 1.0), (10, 1.0)
_SCOPES = {
    "page": ("pages_messaging",),
    "instagram": ("instagram_manage_messages", "instagram_business_manage_messages"),
}


@edge("POST", "page instagram", "messages")
def send(call: GraphCall) -> JSON:
    """One message, or an action such as typing."""
    node, contact = conversation(call)
    _check_permission(call, node)
    action = call.text("sender_action")
    if action:
        return _act(call, node, contact, action)
    message = read_object(call.params.get("message"))
    _check_reachable(node, contact)
    owner = events.owner_of(node, contact)
    if owner and owner != call.token.app_id:
        raise GraphError(400, 100, "Another app is controlling this thread now.", subcode=2018300)
    _check_window(call, node, contact)
    payload, kind, text = _content(call, node, message)
    _check_rates(call, node, kind)
    quoted = read_object(call.params.get("reply_to")).get("mid")
    if quoted and quoted not in call.graph.messages:
        raise bad_parameter("Invalid parameter", "The message to reply to was not found")
    sent = Message(
        ("m_" if node.kind == "page" else "aWdf") + call.graph.new_id(28),
        node.id,
        contact.id,
        True,
        kind,
        text,
        time.time(),
        payload | ({"reply_to": {"mid": quoted}} if quoted else {}),
        state="sent",
    )
    sent.client_ref = str(message.get("metadata") or "") if node.kind == "page" else ""
    call.accepted_id = sent.id
    call.graph.add_message(sent)
    _report(call, node, contact, sent)
    return {"recipient_id": contact.id, "message_id": sent.id}


@edge("POST", "page instagram", "take_thread_control")
def take_control(call: GraphCall) -> JSON:
    """Puts the caller's application in charge, where the page lets it take over."""
    node, contact = conversation(call)
    if node.hidden.get("may_take") is False:
        raise GraphError(403, 10, "Only the primary or default app may take control", subcode=2018301)
    events.set_owner(node, contact, call.token.app_id)
    return {"success": True}


@edge("POST", "page instagram", "pass_thread_control")
def pass_control(call: GraphCall) -> JSON:
    """Puts another application in charge."""
    node, contact = conversation(call)
    events.set_owner(node, contact, call.need("target_app_id"))
    return {"success": True}


@edge("GET", "person")
def profile(call: GraphCall) -> JSON:
    """A person's profile; where one field may not be read, the call is refused."""
    known: JSON = {"id": call.node.id} | call.node.fields
    names = [name for name in call.text("fields").split(",") if name]
    refused = set(call.node.hidden.get("refused", ())) & set(names)
    if refused:
        raise GraphError(403, 10, "Application does not have permission for this action")
    return {"id": call.node.id} | {name: known[name] for name in names if name in known}


def conversation(call: GraphCall) -> tuple[Node, Contact]:
    """Whom a call is about: a person of the page, or of the Instagram account that is linked to it. Raises GraphError
    100/2018001 for one that is unknown."""
    person_id = str(read_object(call.params.get("recipient")).get("id") or "")
    if not person_id:
        raise bad_parameter("The parameter recipient is required")
    for node in accounts_of(call.graph, call.node):
        contact = call.graph.contacts.get(f"{node.id}:{person_id}")
        if contact is not None:
            return node, contact
    raise GraphError(400, 100, "No matching user found", subcode=2018001)


def accounts_of(graph: Graph, node: Node) -> list[Node]:
    """A page with the Instagram accounts that are linked to it."""
    return [node, *(each for each in graph.nodes.values() if each.kind == "instagram" and each.parent_id == node.id)]


def _check_permission(call: GraphCall, node: Node) -> None:
    scopes = call.token.scopes
    if scopes and not set(scopes) & set(_SCOPES[node.kind]):
        raise GraphError(403, 230, f"Requires {_SCOPES[node.kind][0]} permission to manage the object")


def _check_reachable(node: Node, contact: Contact) -> None:
    if contact.unreachable and node.kind == "page":
        raise GraphError(400, 551, "This person isn't available right now.", subcode=1545041)
    if contact.unreachable:
        raise GraphError(400, 100, "The user can't be reached", subcode=2534014)


def _check_window(call: GraphCall, node: Node, contact: Contact) -> None:
    age, tag = time.time() - contact.last_inbound, call.text("tag")
    if call.text("messaging_type") == "MESSAGE_TAG" and tag != "HUMAN_AGENT":
        raise bad_parameter("This message tag is no longer supported")
    if age <= WINDOW or (tag == "HUMAN_AGENT" and node.hidden.get("human_agent") and age <= AGENT_WINDOW):
        return
    words = "This message is sent outside of allowed window."
    if node.kind == "page":
        raise GraphError(400, 10, words, subcode=2018278)
    raise GraphError(403, 10, words, subcode=2534022)


def _check_rates(call: GraphCall, node: Node, kind: str) -> None:
    if not call.graph.settings.rates:
        return
    recording = kind in ("audio", "video")
    rates = call.graph.rates
    if not rates.takes(node.id, call.now, TEXT_RATE) or (
        recording and not rates.takes(f"{node.id}:recordings", call.now, RECORDING_RATE)
    ):
        raise GraphError(403, 613, "Calls to this api have exceeded the rate limit.")


def _content(call: GraphCall, node: Node, message: JSON) -> tuple[JSON, str, str]:
    """The message as an echo shows it, its kind, and its words. Raises GraphError for what is not taken."""
    attachment = read_object(message.get("attachment"))
    if attachment.get("type") == "template":
        payload = read_object(attachment.get("payload"))
        _check_template(payload)
        return {"attachments": [{"type": "template", "payload": payload}]}, "template", str(payload.get("text", ""))
    if attachment:
        return _attached(call, attachment)
    text = message.get("text")
    if not isinstance(text, str) or not text.strip():
        raise bad_parameter("The parameter message is required", "Message cannot be empty")
    if node.kind == "page" and len(text) > 2000:
        raise bad_parameter("Length of param message[text] must be less than or equal to 2000")
    if node.kind == "instagram" and len(text.encode("utf-8", "replace")) > 1000:
        raise bad_parameter("Length of param message[text] must be less than or equal to 1000")
    payload = {"text": text}
    if "quick_replies" in message:
        payload["quick_replies"] = _quick_replies(message["quick_replies"])
    return payload, "text", text


def _quick_replies(given: Any) -> Any:
    if not isinstance(given, list) or not 1 <= len(given) <= 13:
        raise bad_parameter("Param message[quick_replies] must have between 1 and 13 items")
    for item in given:
        title, data = read_object(item).get("title"), read_object(item).get("payload")
        if not isinstance(title, str) or not 1 <= len(title) <= 20 or not isinstance(data, str) or len(data) > 1000:
            raise bad_parameter("Param message[quick_replies] has an item that is not valid")
    return given


def _check_template(payload: JSON) -> None:
    buttons, text = payload.get("buttons"), payload.get("text")
    if payload.get("template_type") != "button" or not isinstance(text, str) or not 1 <= len(text) <= 640:
        raise bad_parameter("Param message[attachment][payload] is not valid")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
        raise bad_parameter("Param buttons must have between 1 and 3 items")
    for button in buttons:
        title = read_object(button).get("title")
        if not isinstance(title, str) or not 1 <= len(title) <= 20:
            raise bad_parameter("Length of param title must be less than or equal to 20")


def _attached(call: GraphCall, attachment: JSON) -> tuple[JSON, str, str]:
    kind, payload = attachment.get("type"), read_object(attachment.get("payload"))
    file = call.graph.nodes.get(str(payload.get("attachment_id", "")))
    if kind not in TYPES:
        raise bad_parameter("Param message[attachment][type] must be one of the known types")
    if file is not None and file.kind == "attachment" and file.hidden["type"] == kind:
        url, file_id = address_of(call.graph, file, call.base_url), file.id
    elif isinstance(payload.get("url"), str):
        url, file_id = payload["url"], ""
    else:
        raise GraphError(400, 100, "Invalid attachment id", subcode=2018074)
    return {"attachments": [{"type": kind, "payload": {"url": url}}], "file_id": file_id}, str(kind), ""


def _act(call: GraphCall, node: Node, contact: Contact, action: str) -> JSON:
    if action not in ("typing_on", "typing_off", "mark_seen"):
        raise bad_parameter("Param sender_action must be one of the known actions")
    shown = {"type": "graph_action", "node": node.id, "contact": contact.id, "action": action}
    call.graph.events.publish(shown)
    if action == "mark_seen":
        for message in call.graph.messages.values():
            if message.node_id == node.id and message.contact_id == contact.id and not message.outgoing:
                message.state = "read"
    return {"recipient_id": contact.id}


def _report(call: GraphCall, node: Node, contact: Contact, message: Message) -> None:
    """The echo of an accepted send, before its answer or after it, and that it has arrived."""
    graph, app_id = call.graph, call.token.app_id
    shown = {name: value for name, value in message.payload.items() if name != "file_id"}
    message.payload, file_id = shown, message.payload.get("file_id", "")
    if file_id:
        keep_files(graph, node, message, [file_id])
    if graph.settings.echo_first:
        events.echo(graph, node, contact, message, app_id)
    else:
        graph.later(0.1, lambda: events.echo(graph, node, contact, message, app_id))
    if "delivered" in graph.settings.states:
        graph.later(0.3, lambda: events.delivered(graph, node, contact, message))


def keep_files(graph: Graph, node: Node, message: Message, file_ids: list[str]) -> None:
    """Has a message's files found by its id."""
    graph.nodes[message.id] = Node(message.id, "sent_message", node.id, hidden={"files": file_ids})
