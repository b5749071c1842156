"""Outgoing webhooks: what happens here is told to addresses that a workspace adds.

`emit` stores an event for every endpoint that listens, in the caller's transaction; a job sends, signed, at least once,
with the same event id at each try. What decides is pure (`retry_policy`, `signing`).
"""

from backend.services.outgoing_webhooks.emitting import EVENTS, declare, emit, listening
from backend.services.outgoing_webhooks.endpoints import (
    change,
    create,
    get,
    listing,
    remove,
    reveal_secret,
    rotate_secret,
    send_test,
)
from backend.services.outgoing_webhooks.environment import ensure_environment_endpoints
from backend.services.outgoing_webhooks.history import attempts_of, deliveries, delivery, replay
from backend.services.outgoing_webhooks.sending import WORK, send_due

__all__ = [
    "EVENTS",
    "WORK",
    "attempts_of",
    "change",
    "create",
    "declare",
    "deliveries",
    "delivery",
    "emit",
    "ensure_environment_endpoints",
    "get",
    "listening",
    "listing",
    "remove",
    "replay",
    "reveal_secret",
    "rotate_secret",
    "send_due",
    "send_test",
]
