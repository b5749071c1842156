"""`POST /<number>/messages`: sends, reactions, read marks and typing, and the states that follow."""

from __future__ import annotations

import re
import time
from typing import Any

from simulator.graph.edges import GraphCall, edge
from simulator.graph.errors import GraphError, bad_parameter
from simulator.graph.graph import Graph
from simulator.graph.model import JSON, Contact, Message, Node
from simulator.graph.whatsapp import templates
from simulator.graph.whatsapp.media import KINDS
from simulator.graph.whatsapp.numbers import emit, find_contact, waba_of

WINDOW = 24 * 3600
BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_NUMBER = re.compile(r"\+?[0-9][0-9 ()\-]{4,20}")
_WORDS = {
    131047: ("Re-engagement message", "Message failed to send because more than 24 hours have passed"),
    131026: ("Message undeliverable", "Message Undeliverable."),
    131049: ("This message was not delivered to maintain healthy ecosystem engagement.", ""),
    131053: ("Media upload error", "Unsupported Audio mime type"),
    131050: ("Unable to deliver the message. This recipient has chosen to stop receiving marketing messages", ""),
}


@edge("POST", "number", "messages")
def send(call: GraphCall) -> JSON:
    """One message, a reaction, or a read mark with or without typing."""
    if call.params.get("messaging_product") != "whatsapp":
        raise bad_parameter("The parameter messaging_product is required.")
    if not call.node.hidden["registered"]:
        raise GraphError(400, 133010, "Account not registered")
    if call.params.get("status") == "read":
        return _mark_read(call)
    to, recipient = call.text("to"), call.text("recipient")
    if not to and not recipient:
        raise bad_parameter("The parameter to is required.")
    kind = call.text("type", "text")
    payload = call.params.get(kind)
    if not isinstance(payload, dict):
        raise bad_parameter(f"The parameter {kind} is required.")
    _check_rates(call, to or recipient)
    text = _check(call, kind, payload)
    client_ref = call.text("biz_opaque_callback_data")
    if len(client_ref) > 512:
        raise bad_parameter("Param biz_opaque_callback_data must be at most 512 characters long.")
    lost = bool(to) and BSUID.fullmatch(to) is not None
    if to and not lost and not _NUMBER.fullmatch(to):
        raise bad_parameter("Invalid parameter", "Param to is not a phone number")
    contact = _contact(call.graph, call.node, to, recipient)
    message = Message(
        "wamid." + call.graph.new_id(28), call.node.id, contact.id, True, kind, text, time.time(), dict(call.params)
    )
    message.client_ref = client_ref
    if kind == "reaction":
        _react(call.graph, payload)
    call.accepted_id = message.id
    call.graph.add_message(message)
    if not lost:
        _report(call, message, contact)
    block: JSON = {"input": to or recipient}
    if to:
        block["wa_id"] = contact.number or to.lstrip("+")
    elif contact.other_ids.get("bsuid"):
        block["user_id"] = contact.other_ids["bsuid"]
    entry: JSON = {"id": message.id}
    if kind == "template":
        held = templates.is_held(call.graph, waba_of(call.graph, call.node), payload)
        entry["message_status"] = "held_for_quality_assessment" if held else "accepted"
    return {"messaging_product": "whatsapp", "contacts": [block], "messages": [entry]}


def _mark_read(call: GraphCall) -> JSON:
    message = call.graph.messages.get(call.need("message_id"))
    if message is None or message.outgoing:
        raise GraphError(400, 131009, "Parameter value is not valid", details="Message not contact")
    message.state = "read"
    call.graph.show(message)
    return {"success": True}


def _check_rates(call: GraphCall, to: str) -> None:
    if not call.graph.settings.rates:
        return
    if not call.graph.rates.takes(call.node.id, call.now):
        raise GraphError(429, 130429, "Rate limit hit", details="Message failed to send because there are too many")
    if not call.graph.rates.takes_pair(call.node.id, to.lstrip("+"), call.now):
        raise GraphError(400, 131056, "(Business Account, Consumer Account) pair rate limit hit")


def _check(call: GraphCall, kind: str, payload: JSON) -> str:
    """The message's text, for people; raises GraphError for what WhatsApp does not take."""
    if kind == "text":
        return _bounded(payload.get("body"), 4096, "text.body")
    if kind in KINDS:
        if not payload.get("link"):
            media = call.graph.nodes.get(str(payload.get("id", "")))
            if media is None or media.kind != "media":
                raise bad_parameter("Invalid parameter", f"Media id {payload.get('id')} does not exist")
        return _bounded(payload.get("caption", ""), 1024, f"{kind}.caption", empty=True)
    if kind == "interactive":
        return _check_interactive(payload)
    if kind == "template":
        return templates.check(call.graph, waba_of(call.graph, call.node), payload)
    if kind == "reaction":
        if payload.get("message_id") not in call.graph.messages:
            raise GraphError(400, 131009, "Parameter value is not valid", details="Message not contact")
        return str(payload.get("emoji", ""))
    if kind in ("location", "contacts"):
        return ""
    raise bad_parameter(f"Param type must be one of the known types - got {kind}")


def _check_interactive(payload: JSON) -> str:
    body, action = payload.get("body"), payload.get("action")
    text = _bounded(body.get("text") if isinstance(body, dict) else None, 1024, "interactive.body.text")
    if not isinstance(action, dict):
        raise bad_parameter("The parameter interactive.action is required.")
    if payload.get("type") == "button":
        buttons = action.get("buttons")
        if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
            raise bad_parameter("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
        titles = set()
        for button in buttons:
            reply = button.get("reply", {}) if isinstance(button, dict) else {}
            titles.add(_bounded(reply.get("title"), 20, "button title"))
            _bounded(reply.get("id"), 256, "button id")
        if len(titles) < len(buttons):
            raise bad_parameter("Button titles must be unique")
    elif payload.get("type") == "cta_url":
        parameters = action.get("parameters")
        _bounded(parameters.get("display_text") if isinstance(parameters, dict) else None, 20, "display_text")
    return text


def _bounded(value: Any, most: int, name: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or (not value.strip() and not empty):
        raise bad_parameter(f"The parameter {name} is required.")
    if len(value) > most:
        raise bad_parameter(f"Param {name} must be at most {most} characters long.")
    return value


def _contact(graph: Graph, number: Node, to: str, recipient: str) -> Contact:
    digits = "".join(re.findall(r"[0-9]", to)) if not BSUID.fullmatch(to) else to
    named = digits or recipient
    contact = find_contact(graph, number, named)
    if contact is None:
        contact = Contact(named, number.id, named, number=digits if digits.isdecimal() else "")
        if recipient:
            contact.other_ids["bsuid"] = recipient
        graph.contacts[contact.key] = contact
    return contact


def _react(graph: Graph, payload: JSON) -> None:
    target = graph.messages[payload["message_id"]]
    target.reactions["us"] = str(payload.get("emoji", ""))
    graph.show(target)


def _report(call: GraphCall, message: Message, contact: Contact) -> None:
    """The states that WhatsApp reports by itself after an accepted send."""
    graph, settings = call.graph, call.graph.settings
    if call.late_failure:
        code = call.late_failure
        graph.later(call.late_failure_after, lambda: report_state(graph, message, "failed", code))
        return
    failure = _failure(message, contact)
    if failure:
        graph.later(0.2, lambda: report_state(graph, message, "failed", failure))
        return
    if message.kind == "reaction":
        return
    for place, state in enumerate(settings.states):
        if place == 0 and settings.echo_first:
            report_state(graph, message, state)
            continue
        graph.later(0.1 * (place + 1), lambda state=state: report_state(graph, message, state))  # type: ignore[misc]


def _failure(message: Message, contact: Contact) -> int:
    if contact.unreachable == "undeliverable":
        return 131026
    if contact.unreachable == "stopped_marketing" and message.kind == "template":
        return 131050
    if message.kind != "template" and time.time() - contact.last_inbound > WINDOW:
        return 131047
    return 0


def report_state(graph: Graph, message: Message, state: str, code: int = 0, details: str = "") -> None:
    """Reports a state of a message that was sent; `code` says why it failed."""
    number = graph.nodes.get(message.node_id)
    contact = graph.contacts.get(f"{message.node_id}:{message.contact_id}")
    if number is None or contact is None:
        return
    message.state = state
    status: JSON = {"id": message.id, "status": state, "timestamp": str(int(time.time()))}
    if contact.number:
        status["recipient_id"] = contact.number
    if contact.other_ids.get("bsuid") and not contact.number:
        status["recipient_user_id"] = contact.other_ids["bsuid"]
    if message.client_ref:
        status["biz_opaque_callback_data"] = message.client_ref
    if state in ("sent", "delivered"):
        category = "service" if message.kind != "template" else "utility"
        status["pricing"] = {"billable": True, "pricing_model": "PMP", "category": category, "type": "regular"}
    if state == "failed":
        title, words = _WORDS.get(code, ("Something went wrong", ""))
        error: JSON = {"code": code, "title": title, "message": title}
        error["error_data"] = {"details": details or words or title}
        status["errors"] = [error]
    emit(graph, number, "messages", {"statuses": [status]})
    graph.show(message)
