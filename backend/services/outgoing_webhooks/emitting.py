"""Storing what endpoints are to be told, in the transaction in which it happened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock, queue
from backend.core.database import db, next_in_sequence, workspace_scope
from backend.models import OutgoingDelivery, OutgoingWebhook
from backend.services.outgoing_webhooks.retry_policy import matches

LANE: Final = "background"
VERSION: Final = 1
TEST: Final = "webhook.test"
_SEQUENCE: Final = "outgoing_event_sequence"
"""Rises with each event, and with those of one conversation in their order; it has gaps."""

EVENTS: dict[str, str] = {TEST: "A test that a person asked for"}
"""Every type of event there is, and what it means. Features above add theirs with `declare`."""


def declare(event_type: str, meaning: str) -> str:
    """Makes a type known, so that endpoints can ask for it; returns it."""
    EVENTS[event_type] = meaning
    return event_type


def emit(workspace_id: int, event_type: str, payload: Mapping[str, Any], *, key: str) -> int:
    """Stores the event for each endpoint of the workspace that listens; returns how many there are.

    In the caller's transaction; nothing is sent before its commit. The same type and `key` is the same event: its id
    is the same, and an endpoint that has it gets no second one. `payload` is JSON. Endpoints that are switched off
    are not told, also not later.
    """
    if event_type not in EVENTS:
        raise ValueError(f"{event_type} was not declared")
    with workspace_scope(workspace_id):
        webhook_ids = [webhook.id for webhook in _listeners(event_type)]
        store(workspace_id, event_type, payload, key=key, webhook_ids=webhook_ids)
    return len(webhook_ids)


def listening(workspace_id: int, event_type: str) -> bool:
    """Whether an endpoint of the workspace would be told this type now."""
    with workspace_scope(workspace_id):
        return bool(_listeners(event_type))


def store(
    workspace_id: int, event_type: str, payload: Mapping[str, Any], *, key: str, webhook_ids: list[int]
) -> list[int]:
    """Stores the event for exactly these endpoints; the ids of the deliveries that are new."""
    if not webhook_ids:
        return []
    now = clock.now()
    event_id = event_id_of(workspace_id, event_type, key)
    envelope = {
        "id": event_id,
        "type": event_type,
        "version": VERSION,
        "created_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "workspace_id": workspace_id,
        "sequence": next_in_sequence(_SEQUENCE),
        "data": payload,
    }
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
    rows = [
        {
            "workspace_id": workspace_id,
            "webhook_id": webhook_id,
            "event_id": event_id,
            "type": event_type,
            "body": body,
            "state": "due",
            "reason": "queued",
            "due_at": now,
            "created_at": now,
        }
        for webhook_id in webhook_ids
    ]
    delivery_ids = db.session.execute(
        insert(OutgoingDelivery).on_conflict_do_nothing().returning(OutgoingDelivery.id), rows
    )
    queue.wake(LANE)
    return list(delivery_ids.scalars())


def event_id_of(workspace_id: int, event_type: str, key: str) -> str:
    """The event's id: the same for the same workspace, type and key, whenever it is asked for."""
    named = json.dumps([workspace_id, event_type, key]).encode()
    return "evt_" + hashlib.sha256(named).hexdigest()[:32]


def _listeners(event_type: str) -> list[OutgoingWebhook]:
    served = db.session.scalars(
        select(OutgoingWebhook)
        .where(OutgoingWebhook.enabled, OutgoingWebhook.disabled_code.is_(None))
        .order_by(OutgoingWebhook.id)
    )
    return [webhook for webhook in served if any(matches(pattern, event_type) for pattern in webhook.events)]
