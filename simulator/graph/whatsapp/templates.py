"""Templates of a business account: listed, made, changed in state, and checked when one is sent."""

from __future__ import annotations

import re

from simulator.graph.edges import GraphCall, edge
from simulator.graph.errors import GraphError
from simulator.graph.graph import Graph
from simulator.graph.model import JSON, Node

_VARIABLE = re.compile(r"\{\{\s*\w+\s*\}\}")


@edge("GET", "waba", "message_templates")
def list_templates(call: GraphCall) -> JSON:
    """The templates, by pages: `limit` and `after`."""
    mine = [
        {"id": node.id} | node.fields
        for node in call.graph.nodes.values()
        if node.kind == "template" and node.parent_id == call.node.id
    ]
    name = call.text("name")
    mine = [template for template in mine if not name or template.get("name") == name]
    limit = int(call.text("limit", "25") or 25)
    start = int(call.text("after", "0") or 0)
    page: JSON = {"data": mine[start : start + limit]}
    if start + limit < len(mine):
        page["paging"] = {"cursors": {"after": str(start + limit)}, "next": "more"}
    return page


@edge("POST", "waba", "message_templates")
def make(call: GraphCall) -> JSON:
    """A template that waits for its review."""
    node = Node(call.graph.new_id(16), "template", call.node.id)
    node.fields = {
        "name": call.need("name"),
        "language": call.need("language"),
        "category": call.need("category"),
        "status": "PENDING",
        "components": call.params.get("components", []),
        "quality_score": {"score": "UNKNOWN"},
    }
    call.graph.nodes[node.id] = node
    return {"id": node.id, "status": "PENDING", "category": node.fields["category"]}


def _template_named(graph: Graph, waba: Node, payload: JSON) -> Node | None:
    language = payload.get("language")
    code = language.get("code") if isinstance(language, dict) else None
    for node in graph.nodes.values():
        named = (node.fields.get("name"), node.fields.get("language")) == (payload.get("name"), code)
        if named and node.kind == "template" and node.parent_id == waba.id:
            return node
    return None


def is_held(graph: Graph, waba: Node, payload: JSON) -> bool:
    """Whether sends of a template are held for its quality's sake."""
    node = _template_named(graph, waba, payload)
    return node is not None and bool(node.hidden.get("held"))


def check(graph: Graph, waba: Node, payload: JSON) -> str:
    """What a template says to people. Raises GraphError 132001 for an unknown one, 132000 for a wrong number of
    values, 132015 for one that is paused."""
    node = _template_named(graph, waba, payload)
    if node is None:
        raise GraphError(404, 132001, "Template name does not exist in the translation", details="Template not found")
    if node.fields.get("status") == "PAUSED":
        raise GraphError(400, 132015, "Template is paused")
    if node.fields.get("status") != "APPROVED":
        raise GraphError(404, 132001, "Template name does not exist in the translation", details="Not approved")
    body: JSON = next((part for part in node.fields.get("components", []) if part.get("type") == "BODY"), {})
    text = str(body.get("text", ""))
    given: list[str] = []
    for component in payload.get("components") or []:
        if isinstance(component, dict) and component.get("type") == "body":
            given = [str(value.get("text", "")) for value in component.get("parameters", [])]
    wanted = _VARIABLE.findall(text)
    if len(given) != len(wanted):
        details = f"body: number of localizable_params ({len(given)}) does not match the expected number"
        raise GraphError(400, 132000, "Number of parameters does not match the expected number", details=details)
    for variable, value in zip(wanted, given, strict=True):
        text = text.replace(variable, value, 1)
    return text
