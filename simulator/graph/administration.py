"""Tokens, applications and subscriptions: the calls by which an integration is set up."""

from __future__ import annotations

import time
from typing import Any

from simulator.graph.edges import ROOT, GraphCall, edge, shown
from simulator.graph.errors import GraphError, bad_parameter
from simulator.graph.model import JSON, Callback, Subscription

SUBSCRIBED = "waba page instagram"
_NEEDED = {"waba": "whatsapp_business_management", "page": "pages_manage_metadata"}


@edge("GET", "number waba page instagram app user template")
def read_object(call: GraphCall) -> JSON:
    """An object's fields."""
    return shown(call.node, call.text("fields"))


@edge("GET", ROOT, "debug_token")
def debug_token(call: GraphCall) -> JSON:
    """What a token is and may do. One that is unknown is not valid, which is no error."""
    token = call.graph.tokens.get(call.need("input_token"))
    if token is None:
        return {"data": {"is_valid": False, "error": {"code": 190, "message": "Invalid OAuth access token."}}}
    expired = bool(token.expires_at) and token.expires_at <= time.time()
    app = call.graph.apps.get(token.app_id)
    data: dict[str, Any] = {
        "app_id": token.app_id,
        "type": token.kind,
        "application": app.name if app is not None else "",
        "data_access_expires_at": token.data_access_expires_at,
        "expires_at": token.expires_at,
        "is_valid": token.is_valid and not expired,
        "issued_at": token.issued_at,
        "scopes": token.scopes,
        "granular_scopes": [
            {"scope": scope} | ({"target_ids": token.object_ids} if token.object_ids else {}) for scope in token.scopes
        ],
    }
    if token.subject_id:
        data["profile_id"] = token.subject_id
    return {"data": data}


@edge("GET", ROOT, "refresh_access_token")
def refresh_token(call: GraphCall) -> JSON:
    """A token of Instagram's own login for another sixty days; it must be a day old and still good."""
    if call.text("grant_type") != "ig_refresh_token":
        raise bad_parameter("Invalid grant_type")
    token = call.graph.tokens[call.token.value]
    if time.time() - token.issued_at < 86_400:
        raise bad_parameter("The access token is not old enough to be refreshed")
    token.issued_at = int(time.time())
    token.expires_at = token.issued_at + 60 * 86_400
    return {"access_token": token.value, "token_type": "bearer", "expires_in": 60 * 86_400}


@edge("GET", SUBSCRIBED, "subscribed_apps")
def list_subscribed(call: GraphCall) -> JSON:
    """The applications that hear of an object."""
    shown_apps = []
    for app_id, callback in call.node.subscribed.items():
        app = call.graph.apps.get(app_id)
        name = app.name if app is not None else ""
        if call.node.kind == "waba":
            entry: JSON = {"whatsapp_business_api_data": {"id": app_id, "name": name}}
        else:
            entry = {"id": app_id, "name": name, "subscribed_fields": callback.fields}
        if callback.override_url:
            entry["override_callback_uri"] = callback.override_url
        shown_apps.append(entry)
    return {"data": shown_apps}


@edge("POST", SUBSCRIBED, "subscribed_apps")
async def subscribe(call: GraphCall) -> JSON:
    """Subscribes the token's application; of a business account with another address, once it is subscribed."""
    _needs_scope(call)
    app_id = call.token.app_id
    override, fields = call.text("override_callback_uri"), call.params.get("subscribed_fields", "")
    present = call.node.subscribed.get(app_id)
    if override:
        if present is None:
            raise bad_parameter("Before override the current callback uri, your app must be subscribed to receive")
        if len(override) > 200:
            raise bad_parameter("Param override_callback_uri must be at most 200 characters long.")
        await call.graph.handshake(override, call.need("verify_token"))
        present.override_url, present.override_token = override, call.text("verify_token")
        return {"success": True}
    names = fields.split(",") if isinstance(fields, str) else [str(name) for name in fields]
    wanted = [name.strip() for name in names if name.strip()]
    if call.node.kind != "waba" and not wanted:
        raise bad_parameter("The parameter subscribed_fields is required.")
    call.node.subscribed[app_id] = Callback(wanted)
    return {"success": True}


@edge("DELETE", SUBSCRIBED, "subscribed_apps")
def unsubscribe(call: GraphCall) -> JSON:
    """The application no longer hears of the object."""
    call.node.subscribed.pop(call.token.app_id, None)
    return {"success": True}


@edge("GET", "app", "subscriptions")
def list_subscriptions(call: GraphCall) -> JSON:
    """Where an application's events go."""
    app = call.graph.apps[call.node.id]
    data = [
        {
            "object": name,
            "callback_url": kept.url,
            "active": kept.active,
            "fields": [{"name": field, "version": "v26.0"} for field in kept.fields],
        }
        for name, kept in app.subscriptions.items()
    ]
    return {"data": data}


@edge("POST", "app", "subscriptions")
async def set_subscription(call: GraphCall) -> JSON:
    """Has an application's events of one kind of object delivered to an address, which must know the token."""
    if call.token.kind != "APP":
        raise GraphError(400, 15, "This method must be called with an app access_token.")
    fields = call.params.get("fields", "")
    names = fields.split(",") if isinstance(fields, str) else [str(name) for name in fields]
    url, token = call.need("callback_url"), call.need("verify_token")
    await call.graph.handshake(url, token)
    app = call.graph.apps[call.node.id]
    app.subscriptions[call.need("object")] = Subscription(url, token, [name for name in names if name])
    return {"success": True}


def _needs_scope(call: GraphCall) -> None:
    scope = _NEEDED.get(call.node.kind)
    if scope and call.token.kind != "APP" and call.token.scopes and scope not in call.token.scopes:
        raise GraphError(403, 200, f"Requires {scope} permission to manage the object")
