"""Numbers: their facts, registration, an address of their own for webhooks, and the events that follow from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from simulator.graph.edges import GraphCall, edge
from simulator.graph.errors import GraphError, bad_parameter
from simulator.graph.model import JSON, Contact, Node

if TYPE_CHECKING:
    from simulator.graph.graph import Graph

_PIN = re.compile(r"[0-9]{6}")


def complete(graph: Graph, node: Node) -> None:
    """Gives a new number what every number has."""
    digits = str(node.fields.get("display_phone_number") or f"+1 555 {graph.random.randrange(10**6, 10**7)}")
    node.fields = {
        "display_phone_number": digits,
        "verified_name": "Simulated shop",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "code_verification_status": "VERIFIED",
        "name_status": "APPROVED",
        "status": "CONNECTED",
        "is_official_business_account": False,
    } | node.fields
    node.hidden = {"registered": True, "pin": "", "override_url": ""} | node.hidden


def waba_of(graph: Graph, number: Node) -> Node:
    """The business account that a number belongs to. Raises GraphError where there is none."""
    waba = graph.nodes.get(number.parent_id)
    if waba is None:
        raise GraphError(400, 100, "This number belongs to no business account")
    return waba


def metadata(number: Node) -> JSON:
    """How webhooks name a number."""
    digits = "".join(re.findall(r"[0-9]", str(number.fields.get("display_phone_number", ""))))
    return {"display_phone_number": digits, "phone_number_id": number.id}


def emit(graph: Graph, number: Node, field: str, value: JSON) -> int:
    """Tells those who hear of a number's business account; `value` gets what every value has."""
    whole = {"messaging_product": "whatsapp", "metadata": metadata(number)} | value
    change = {"field": field, "value": whole}
    return graph.emit(waba_of(graph, number), field, "changes", change, override=number.hidden["override_url"])


def contact_block(contact: Contact) -> JSON:
    """The entry of `contacts` for a person: the number only where they do not hide it."""
    block: JSON = {"profile": {"name": contact.name}}
    if contact.username:
        block["profile"]["username"] = contact.username
    if contact.number:
        block["wa_id"] = contact.number
    if contact.other_ids.get("bsuid"):
        block["user_id"] = contact.other_ids["bsuid"]
    if contact.other_ids.get("parent_bsuid"):
        block["parent_user_id"] = contact.other_ids["parent_bsuid"]
    return block


def find_contact(graph: Graph, number: Node, named: str) -> Contact | None:
    """The person of a number or of a business-scoped id, as this number knows them."""
    for contact in graph.contacts.values():
        if contact.node_id != number.id:
            continue
        if named and named in (contact.id, contact.number, *contact.other_ids.values()):
            return contact
    return None


@edge("POST", "number", "register")
def register(call: GraphCall) -> JSON:
    """Connects a number, by six digits that stay its own."""
    pin = call.need("pin")
    if not _PIN.fullmatch(pin):
        raise bad_parameter("Param pin must be 6 digits.")
    hidden = call.node.hidden
    hidden["registrations"] = hidden.get("registrations", 0) + 1
    if hidden["registrations"] > 10:
        raise GraphError(400, 133016, "Account register/deregister rate limit exceeded")
    if hidden["pin"] and hidden["pin"] != pin:
        raise GraphError(400, 133005, "Two step verification PIN mismatch")
    hidden |= {"pin": pin, "registered": True}
    call.node.fields["status"] = "CONNECTED"
    return {"success": True}


@edge("POST", "number", "deregister")
def deregister(call: GraphCall) -> JSON:
    """Takes a number off."""
    call.node.hidden["registered"] = False
    call.node.fields["status"] = "DISCONNECTED"
    return {"success": True}


@edge("POST", "number")
async def change_number(call: GraphCall) -> JSON:
    """Another address for one number's webhooks: `webhook_configuration.override_callback_uri`, empty to end it."""
    given = call.params.get("webhook_configuration")
    if not isinstance(given, dict):
        raise bad_parameter("Invalid parameter")
    address = str(given.get("override_callback_uri", ""))
    if address:
        await call.graph.handshake(address, str(given.get("verify_token", "")))
    call.node.hidden["override_url"] = address
    call.node.fields["webhook_configuration"] = {"phone_number": address} if address else {}
    return {"success": True}


@edge("GET", "waba", "phone_numbers")
def list_numbers(call: GraphCall) -> JSON:
    """The numbers of a business account."""
    mine = [node for node in call.graph.nodes.values() if node.kind == "number" and node.parent_id == call.node.id]
    return {"data": [{"id": node.id} | node.fields for node in mine]}
