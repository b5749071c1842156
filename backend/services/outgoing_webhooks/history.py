"""The log of deliveries to endpoints, and their repetition."""

from __future__ import annotations

from sqlalchemy import select

from backend.core import clock, queue
from backend.core.database import db
from backend.core.errors import Conflict, NotFound
from backend.models import OutgoingAttempt, OutgoingDelivery
from backend.services import paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.outgoing_webhooks import emitting, endpoints


def deliveries(
    *,
    webhook_id: int | None = None,
    state: str | None = None,
    event_type: str | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[OutgoingDelivery], str | None]:
    """The workspace's deliveries, newest first. Raises NotFound for an endpoint that is not there."""
    query = select(OutgoingDelivery)
    if webhook_id is not None:
        query = query.where(OutgoingDelivery.webhook_id == endpoints.get(webhook_id).id)
    if state is not None:
        query = query.where(OutgoingDelivery.state == state)
    if event_type is not None:
        query = query.where(OutgoingDelivery.type == event_type)
    return paging.page(query, OutgoingDelivery.id, cursor=cursor, limit=limit)


def delivery(delivery_id: int, *, lock: bool = False) -> OutgoingDelivery:
    """A delivery of the workspace in scope. Raises NotFound."""
    row: OutgoingDelivery | None = db.session.get(
        OutgoingDelivery, delivery_id, with_for_update=lock or None, populate_existing=lock
    )
    if row is None:
        raise NotFound("delivery_not_found", "There is no such delivery.")
    return row


def attempts_of(delivery_row: OutgoingDelivery) -> list[OutgoingAttempt]:
    """Its tries, oldest first."""
    query = select(OutgoingAttempt).where(OutgoingAttempt.delivery_id == delivery_row.id).order_by(OutgoingAttempt.id)
    return list(db.session.scalars(query))


def replay(by: Attribution, delivery_id: int) -> OutgoingDelivery:
    """Has a delivery sent again, whatever became of it: the same event, with the same id, signed again.

    One that still waits is tried at once. Raises NotFound, Conflict (`webhook_off`).
    """
    row = delivery(delivery_id)
    # Endpoints are locked before their deliveries, everywhere.
    webhook = endpoints.get(row.webhook_id, lock=True)
    if not webhook.is_served:
        raise Conflict("webhook_off", "The endpoint is switched off.")
    row = delivery(delivery_id, lock=True)
    row.state, row.reason, row.attempts = "due", "replayed", 0
    row.due_at, row.ended_at = clock.now(), None
    webhook.rest_until = None
    db.session.flush()
    queue.wake(emitting.LANE)
    audit.record(by, "webhook.replayed", f"webhook:{row.webhook_id}", delivery_id=row.id)
    return row
