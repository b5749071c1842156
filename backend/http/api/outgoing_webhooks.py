"""Endpoints that a workspace has told what happens, and the log of it."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.outgoing_webhooks import (
    Deliveries,
    DeliveryDetail,
    DeliveryOut,
    DeliveryQuery,
    EndpointChange,
    EndpointIn,
    EndpointOut,
    Endpoints,
    EndpointWithSecret,
    EventTypes,
)
from backend.models import OutgoingDelivery, OutgoingWebhook
from backend.services import outgoing_webhooks

bp = APIBlueprint("outgoing_webhooks", __name__, url_prefix="/api/webhooks", tag="Webhooks")


@bp.get("")
@access("admin")
@bp.input(PageQuery, location="query")
@bp.output(Endpoints)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List the workspace's endpoints"""
    webhooks, following = outgoing_webhooks.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"webhooks": webhooks, "next_cursor": following}


@bp.post("")
@access("admin", idempotent=True, redact=("secret",))
@bp.input(EndpointIn)
@bp.output(EndpointWithSecret, status_code=201)
def create(json_data: EndpointIn) -> dict[str, Any]:
    """Add an endpoint

    The secret that signs is in `secret`, this once.
    """
    webhook, secret = outgoing_webhooks.create(
        guards.attribution(),
        json_data.url,
        json_data.events,
        name=json_data.name,
        kind=json_data.kind,
        enabled=json_data.enabled,
    )
    return _with_secret(webhook, secret)


@bp.get("/events")
@access()
@bp.output(EventTypes)
def event_types() -> dict[str, Any]:
    """List the types of events there are"""
    known = outgoing_webhooks.EVENTS
    return {"events": [{"type": name, "meaning": known[name]} for name in sorted(known)]}


@bp.get("/deliveries")
@access("admin")
@bp.input(DeliveryQuery, location="query")
@bp.output(Deliveries)
def deliveries(query_data: DeliveryQuery) -> dict[str, Any]:
    """List what endpoints were told, the newest first"""
    listed, following = outgoing_webhooks.deliveries(
        webhook_id=query_data.webhook_id,
        state=query_data.state,
        event_type=query_data.type,
        cursor=query_data.cursor,
        limit=query_data.limit,
    )
    return {"deliveries": [_shown(delivery) for delivery in listed], "next_cursor": following}


@bp.get("/deliveries/<int:delivery_id>")
@access("admin")
@bp.output(DeliveryDetail)
def show_delivery(delivery_id: int) -> dict[str, Any]:
    """Show a delivery, what is sent, and every try"""
    delivery = outgoing_webhooks.delivery(delivery_id)
    return _shown(delivery) | {"body": delivery.body, "tries": outgoing_webhooks.attempts_of(delivery)}


@bp.post("/deliveries/<int:delivery_id>/replay")
@access("admin", idempotent=True)
@bp.output(DeliveryOut, status_code=202)
def replay(delivery_id: int) -> dict[str, Any]:
    """Send a delivery again

    The same event with the same id, whatever became of it.
    """
    return _shown(outgoing_webhooks.replay(guards.attribution(), delivery_id))


@bp.get("/<int:webhook_id>")
@access("admin")
@bp.output(EndpointOut)
def show(webhook_id: int) -> OutgoingWebhook:
    """Show an endpoint"""
    return outgoing_webhooks.get(webhook_id)


@bp.patch("/<int:webhook_id>")
@access("admin")
@bp.input(EndpointChange)
@bp.output(EndpointOut)
def change(webhook_id: int, json_data: EndpointChange) -> OutgoingWebhook:
    """Change an endpoint

    `enabled: true` also takes back that it was switched off after failing for long.
    """
    return outgoing_webhooks.change(guards.attribution(), webhook_id, json_data.model_dump(exclude_unset=True))


@bp.delete("/<int:webhook_id>")
@access("admin")
@bp.output({}, status_code=204)
def remove(webhook_id: int) -> Response:
    """Remove an endpoint

    With what waits for it and its log.
    """
    outgoing_webhooks.remove(guards.attribution(), webhook_id)
    return Response(status=204)


@bp.post("/<int:webhook_id>/rotate-secret")
@access("admin", idempotent=True, redact=("secret",))
@bp.output(EndpointWithSecret)
def rotate_secret(webhook_id: int) -> dict[str, Any]:
    """Give an endpoint a new secret

    It is in `secret`, this once. For 24 hours everything is signed with both.
    """
    webhook, secret = outgoing_webhooks.rotate_secret(guards.attribution(), webhook_id)
    return _with_secret(webhook, secret)


@bp.post("/<int:webhook_id>/reveal-secret")
@access("admin", idempotent=True, redact=("secret",))
@bp.output(EndpointWithSecret)
def reveal_secret(webhook_id: int) -> dict[str, Any]:
    """Read the secret of an endpoint of the environment

    Once: it was made when the endpoint was, without anybody there to be shown it. Afterwards it can be rotated.
    """
    webhook, secret = outgoing_webhooks.reveal_secret(guards.attribution(), webhook_id)
    return _with_secret(webhook, secret)


@bp.post("/<int:webhook_id>/test")
@access("admin", idempotent=True)
@bp.output(DeliveryOut, status_code=202)
def send_test(webhook_id: int) -> dict[str, Any]:
    """Send a test event

    `webhook.test`, whatever the endpoint listens to. Follow it in the log.
    """
    return _shown(outgoing_webhooks.send_test(guards.attribution(), webhook_id))


def _with_secret(webhook: OutgoingWebhook, secret: str) -> dict[str, Any]:
    return {**EndpointOut.model_validate(webhook).model_dump(), "secret": secret}


def _shown(delivery: OutgoingDelivery) -> dict[str, Any]:
    names = ("id", "webhook_id", "event_id", "type", "state", "reason", "attempts", "status", "created_at", "ended_at")
    waits = delivery.state == "due"
    return {name: getattr(delivery, name) for name in names} | {"next_attempt_at": delivery.due_at if waits else None}
