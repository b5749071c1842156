"""`/control/graph/…`: the switches of the simulated Graph API, for tests and for the phone page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any

from aiohttp import web

from simulator.errors import ControlError, invalid, not_found
from simulator.graph.deliveries import write
from simulator.graph.errors import GraphError
from simulator.graph.graph import OBJECTS, Graph
from simulator.graph.model import JSON, Application, Callback, Node, Subscription, Token
from simulator.graph.web import GRAPH
from simulator.graph.whatsapp.numbers import complete
from simulator.web.body import Body, read, reply

Action = Callable[[Graph, Body, web.Request], Any]


def graph_action(action: Action) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler around an action on the Graph API: its result as JSON, or the control API's error."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            result = action(request.app[GRAPH], await read(request), request)
            if isinstance(result, Awaitable):
                result = await result
        except ControlError as error:
            return reply({"error": {"code": error.code, "message": error.message}}, error.status)
        except GraphError as error:
            return reply({"error": {"code": "invalid", "message": error.message}}, 422)
        return result if isinstance(result, web.StreamResponse) else reply(result)

    return handler


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    return [
        web.get("/control/graph/state", graph_action(state)),
        web.post("/control/graph/reset", graph_action(reset)),
        web.patch("/control/graph/settings", graph_action(change_settings)),
        web.post("/control/graph/applications", graph_action(add_application)),
        web.post("/control/graph/tokens", graph_action(add_token)),
        web.patch("/control/graph/tokens", graph_action(change_token)),
        web.post("/control/graph/objects", graph_action(add_object)),
        web.post("/control/graph/objects/{node}/subscribe", graph_action(subscribe)),
        web.post("/control/graph/objects/{node}/emit", graph_action(emit)),
        web.get("/control/graph/deliveries", graph_action(deliveries)),
        web.post("/control/graph/deliveries", graph_action(push)),
        web.get("/control/graph/faults", graph_action(list_faults)),
        web.post("/control/graph/faults", graph_action(add_fault)),
        web.delete("/control/graph/faults", graph_action(clear_faults)),
        web.get("/control/graph/log", graph_action(log)),
        web.get("/control/graph/threads/{node}", graph_action(threads)),
    ]


def node_named(graph: Graph, request: web.Request) -> Node:
    """The object of the address. Raises ControlError 404."""
    node = graph.nodes.get(request.match_info["node"])
    if node is None:
        raise not_found("this object")
    return node


def state(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Everything that exists, secrets included: nothing here is secret."""
    return {
        "applications": [asdict(app) for app in graph.apps.values()],
        "tokens": [asdict(token) for token in graph.tokens.values()],
        "objects": [
            asdict(node)
            for node in graph.nodes.values()
            if node.kind not in ("media", "attachment", "sent_message", "person")
        ],
        "contacts": [asdict(contact) for contact in graph.contacts.values()],
        "settings": asdict(graph.settings),
        "waiting": graph.deliveries.waiting,
        "log": graph.journal.last,
    }


async def reset(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Nothing exists any more."""
    await graph.reset()
    return {"status": "ok"}


def change_settings(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Change some settings, all or nothing."""
    known = {item.name for item in fields(graph.settings)}
    for name, value in body.values.items():
        if name not in known:
            raise invalid(f"there is no setting {name}")
        present = getattr(graph.settings, name)
        number = isinstance(present, int | float) and not isinstance(present, bool)
        right = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 if number else None
        if not (right if right is not None else isinstance(value, type(present))) or (name == "speed" and not value):
            raise invalid(f"{name} has a value of the wrong kind")
    for name, value in body.values.items():
        setattr(graph.settings, name, float(value) if isinstance(getattr(graph.settings, name), float) else value)
    return asdict(graph.settings)


def add_application(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """An application: `id`, `secret`, `name`, and perhaps `webhooks`, by object: `{url, verify_token, fields}`."""
    app = Application(body.get("id", str, "") or graph.new_id(), body.get("secret", str), body.get("name", str, "App"))
    app.mode = body.get("mode", str, "live")
    for name, given in body.get("webhooks", dict, {}).items():
        if name not in OBJECTS.values() or not isinstance(given, dict) or not isinstance(given.get("url"), str):
            raise invalid("webhooks are {object: {url, verify_token, fields}}")
        wanted = [str(item) for item in given.get("fields", [])]
        app.subscriptions[name] = Subscription(given["url"], str(given.get("verify_token", "")), wanted)
    graph.apps[app.id] = app
    return reply(asdict(app), 201)


def add_token(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """A token: `value`, `app_id`, and perhaps `kind`, `scopes`, `subject_id`, `object_ids`, `expires_at`."""
    token = Token(body.get("value", str), body.get("app_id", str), issued_at=int(time.time()))
    if token.app_id not in graph.apps:
        raise not_found("this application")
    _set(token, body, but=("value", "app_id"))
    graph.tokens[token.value] = token
    return reply(asdict(token), 201)


def change_token(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Changes the token of this `value`: revoke it by `is_valid: false`, let it expire, take scopes away."""
    token = graph.tokens.get(body.get("value", str))
    if token is None:
        raise not_found("this token")
    _set(token, body, but=("value",))
    return asdict(token)


def _set(target: Any, body: Body, but: tuple[str, ...]) -> None:
    known = {item.name for item in fields(target)}
    for name, value in body.values.items():
        if name in but:
            continue
        if name not in known or type(value) is not type(getattr(target, name)):
            raise invalid(f"{name} is unknown or of the wrong kind")
        setattr(target, name, value)


def add_object(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """An object: `kind` (`waba`, `number`, `page`, `instagram`, `template`), `id`, `parent_id`, `fields`."""
    kind = body.get("kind", str)
    if kind not in ("waba", "number", "page", "instagram", "template", "user"):
        raise invalid("kind must be waba, number, page, instagram, template or user")
    node = Node(body.get("id", str, "") or graph.new_id(), kind, body.get("parent_id", str, ""))
    node.fields = dict(body.get("fields", dict, {}))
    node.hidden = dict(body.get("hidden", dict, {}))
    if node.id in graph.nodes or node.id in graph.apps:
        raise invalid("this id is taken")
    if kind == "number":
        complete(graph, node)
    graph.nodes[node.id] = node
    return reply(asdict(node), 201)


def subscribe(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Subscribes an application (`app_id`, `fields`, `override_url`) to an object, without asking its address."""
    node, app_id = node_named(graph, request), body.get("app_id", str)
    if app_id not in graph.apps or node.kind not in OBJECTS:
        raise not_found("this application or subscription")
    fields_wanted = [str(name) for name in body.get("fields", list, [])]
    node.subscribed[app_id] = Callback(fields_wanted, body.get("override_url", str, ""))
    return asdict(node)


def emit(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Tells those who hear of an object of any event: its `field`, `slot` and `value`."""
    node = node_named(graph, request)
    if node.kind not in OBJECTS:
        raise not_found("a subscription of this object")
    notified = graph.emit(node, body.get("field", str), body.get("slot", str, "changes"), body.get("value", dict))
    return {"notified": notified}


def deliveries(graph: Graph, body: Body, request: web.Request) -> JSON:
    """Every try of a delivery, and how many events wait."""
    return {"deliveries": list(graph.deliveries.log), "waiting": graph.deliveries.waiting}


def push(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """Delivers a `body` (any JSON, or `raw` text) to an application's address, signed by its secret or by `secret`."""
    app = graph.apps.get(body.get("app_id", str))
    if app is None:
        raise not_found("this application")
    raw = body.get("raw", str, "")
    content = (
        raw.encode("utf-8", "surrogatepass")
        if raw
        else write(body.get("body", dict), escape=body.get("escape", bool, True))
    )
    graph.deliveries.push(app, body.get("url", str), content, signed_with=body.values.get("secret"))
    return reply({"bytes": len(content)}, 202)


def list_faults(graph: Graph, body: Body, request: web.Request) -> JSON:
    """The rules, with how often each struck."""
    return {"faults": [rule.describe() for rule in graph.faults.rules]}


def add_fault(graph: Graph, body: Body, request: web.Request) -> web.Response:
    """A rule."""
    return reply(graph.faults.add(body.values).describe(), 201)


def clear_faults(graph: Graph, body: Body, request: web.Request) -> JSON:
    """No faults any more."""
    graph.faults.rules.clear()
    return {"status": "ok"}


def log(graph: Graph, body: Body, request: web.Request) -> JSON:
    """The calls above `since`; filters `outcome`, `call`, `node`."""
    query = request.query
    since = query.get("since", "0")
    wanted = {name: query[name] for name in ("outcome", "call", "node") if name in query}
    entries = graph.journal.read(int(since) if since.isdecimal() else 0, 0, **wanted)
    return {"entries": entries, "next": graph.journal.last}


def threads(graph: Graph, body: Body, request: web.Request) -> JSON:
    """The conversations of a number, page or account, each with its messages, oldest first."""
    node = node_named(graph, request)
    people = [contact for contact in graph.contacts.values() if contact.node_id == node.id]
    shown = []
    for contact in people:
        messages = [
            asdict(message)
            for message in graph.messages.values()
            if message.node_id == node.id and message.contact_id == contact.id
        ]
        shown.append({"contact": asdict(contact), "messages": messages})
    return {"threads": shown}
