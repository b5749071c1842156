"""Sending to endpoints: one thread an endpoint, one event after the other, in the order in which they became due.

The thread that serves an endpoint holds its lease (`served_until`, on the database's clock), so two processes do not
send the same thing at once; a process that dies leaves it to the next one when the lease is over. No transaction is
open while an endpoint is asked. A try that was not recorded is made again: at least once.
"""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import exists as has_row
from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from backend.core import clock, failpoints
from backend.core.database import db, system_scope, workspace_scope
from backend.core.logging import get_logger
from backend.core.thread_pools import BoundedPool
from backend.core.work import Turn, Waiting, Work, register
from backend.models import OutgoingAttempt, OutgoingDelivery, OutgoingWebhook
from backend.services.outgoing_webhooks import emitting, endpoint_requests, endpoints
from backend.services.outgoing_webhooks.endpoint_requests import DEFECT, LEASES, EndpointRequest
from backend.services.outgoing_webhooks.retry_policy import BACKOFF, MAX_WAITS, REST, Outcome, decide

log = get_logger(__name__)

_LEASE: Final = timedelta(seconds=30)
_TURN_SECONDS: Final = 20.0
"""After so long a thread leaves its endpoint to whoever comes next, so that the others get their turn."""
_POOL: Final = BoundedPool("outgoing-webhooks", 16)


def waiting() -> Waiting:
    """Endpoints that have something due that nobody sends."""
    return (_idle(),)


def send_due(turn: Turn) -> int:
    """Starts a thread for each endpoint that has something due, and waits for them until the turn is over.

    Returns how many were started. An endpoint that hangs goes on in its thread and holds nothing else.
    """
    started = 0
    while True:
        claimed = _take(_POOL.free())
        started += sum(_POOL.start(partial(_serve, *place)) for place in claimed)
        if turn.is_over():
            turn.go_on_later()
            return started
        if _POOL.wait(min(turn.left(), 0.05 if claimed else turn.left())) and not claimed:
            return started


def _idle() -> Any:
    """Ids of the endpoints that could be served now."""
    now = clock.now()
    due = has_row().where(
        OutgoingDelivery.webhook_id == OutgoingWebhook.id,
        OutgoingDelivery.state == "due",
        OutgoingDelivery.due_at <= now,
    )
    return select(OutgoingWebhook.id).where(
        OutgoingWebhook.enabled,
        OutgoingWebhook.disabled_code.is_(None),
        or_(OutgoingWebhook.rest_until.is_(None), OutgoingWebhook.rest_until <= now),
        or_(OutgoingWebhook.served_until.is_(None), OutgoingWebhook.served_until <= func.clock_timestamp()),
        due,
    )


def _take(most: int) -> list[tuple[int, int]]:
    """Takes the leases of up to `most` endpoints: (workspace, endpoint). Commits."""
    if most <= 0:
        return []
    with system_scope("endpoints of all workspaces are served here"):
        # Whoever was served longest ago comes first.
        order = OutgoingWebhook.served_until.asc().nulls_first()
        free = _idle().order_by(order).limit(most).with_for_update(skip_locked=True, of=OutgoingWebhook)
        ids = list(db.session.scalars(free))
        claimed = db.session.execute(
            update(OutgoingWebhook)
            .where(OutgoingWebhook.id.in_(ids))
            .values(served_until=func.clock_timestamp() + _LEASE)
            .returning(OutgoingWebhook.workspace_id, OutgoingWebhook.id)
            .execution_options(synchronize_session=False)
        ).all()
        db.session.commit()
    return [(workspace_id, webhook_id) for workspace_id, webhook_id in claimed]


def _serve(workspace_id: int, webhook_id: int) -> None:
    """Sends what is due to one endpoint, until nothing is, it fails, or the turn is over."""
    until = time.monotonic() + _TURN_SECONDS
    with workspace_scope(workspace_id):
        while time.monotonic() < until and (ready := _next(webhook_id)) is not None:
            began = time.monotonic()
            outcome = endpoint_requests.send(ready)
            failpoints.hit("outgoing.answered_not_recorded")
            if not _settle(webhook_id, ready, outcome, round((time.monotonic() - began) * 1000)):
                break
        # Not after an exception: then the lease runs out by itself, and the endpoint is not asked again at once.
        _give_back(webhook_id)


def _settle(webhook_id: int, ready: EndpointRequest, outcome: Outcome, duration_ms: int) -> bool:
    """Records a try; where that cannot be done, moves the delivery's due time all the same. Commits; whether the
    endpoint can be asked again at once. Raises what a database raises that is away: the lease is kept then."""
    try:
        return _record(webhook_id, ready, outcome, duration_ms)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        db.session.rollback()
        log.exception("outgoing_webhook_defect", delivery_id=ready.delivery_id, error=type(error).__name__)
        _put_off(webhook_id, ready.delivery_id)
        return False


def _put_off(webhook_id: int, delivery_id: int) -> None:
    """Counts a try that could not be recorded, by statements that need nothing of what was answered. Commits."""
    now = clock.now()
    this = update(OutgoingDelivery).where(OutgoingDelivery.id == delivery_id, OutgoingDelivery.state == "due")
    tries = db.session.scalar(select(OutgoingDelivery.attempts).where(OutgoingDelivery.id == delivery_id))
    done = (tries or 0) + 1
    if done > MAX_WAITS:
        db.session.execute(this.values(state="failed", reason=DEFECT, attempts=done, ended_at=now))
    else:
        db.session.execute(this.values(reason=DEFECT, attempts=done, due_at=now + BACKOFF.wait(done, delivery_id)))
    db.session.execute(
        update(OutgoingWebhook)
        .where(OutgoingWebhook.id == webhook_id)
        .values(rest_until=now + REST.wait(done, webhook_id))
    )
    db.session.commit()


def _next(webhook_id: int) -> EndpointRequest | None:
    """The oldest due delivery, and the lease renewed for it. Commits."""
    now = clock.now()
    webhook = db.session.scalars(
        select(OutgoingWebhook)
        .where(OutgoingWebhook.id == webhook_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if webhook is None or not webhook.is_served or (webhook.rest_until and webhook.rest_until > now):
        db.session.rollback()
        return None
    due_delivery = db.session.scalars(
        select(OutgoingDelivery)
        .where(
            OutgoingDelivery.webhook_id == webhook_id, OutgoingDelivery.state == "due", OutgoingDelivery.due_at <= now
        )
        .order_by(OutgoingDelivery.due_at, OutgoingDelivery.id)
        .limit(1)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if due_delivery is None:
        db.session.rollback()
        return None
    ready = endpoint_requests.build(webhook, due_delivery)
    _lease(webhook_id, func.clock_timestamp() + LEASES[webhook.kind])
    db.session.commit()
    return ready


def _record(webhook_id: int, ready: EndpointRequest, outcome: Outcome, duration_ms: int) -> bool:
    """Writes down what came of a try; whether the endpoint can be asked again at once. Commits."""
    now = clock.now()
    webhook = db.session.get(OutgoingWebhook, webhook_id, with_for_update=True, populate_existing=True)
    delivery = db.session.get(OutgoingDelivery, ready.delivery_id, with_for_update=True, populate_existing=True)
    if webhook is None or delivery is None:
        # Taken away meanwhile.
        db.session.rollback()
        return webhook is not None
    db.session.add(
        OutgoingAttempt(
            workspace_id=delivery.workspace_id,
            delivery_id=delivery.id,
            at=now,
            status=outcome.status,
            code=outcome.fault,
            detail=outcome.detail or None,
            duration_ms=duration_ms,
        )
    )
    delivery.status = outcome.status
    if delivery.state == "due":
        delivery.attempts += 1
    recovered = outcome.succeeded and webhook.rest_until is not None
    if outcome.succeeded:
        webhook.failures, webhook.failing_since, webhook.rest_until, webhook.last_success_at = 0, None, None, now
    else:
        webhook.failures += 1
        webhook.failing_since = webhook.failing_since or now
    decided = decide(
        outcome,
        attempts=delivery.attempts,
        failures=webhook.failures,
        failing_since=webhook.failing_since,
        now=now,
        key=delivery.id,
    )
    if delivery.state == "due":
        delivery.state, delivery.reason = decided.state, decided.reason
        if decided.wait is not None:
            delivery.due_at = now + decided.wait
        else:
            delivery.ended_at = now
    if decided.rest is not None:
        webhook.rest_until = now + decided.rest
    db.session.flush()
    if decided.disable:
        endpoints.disable(webhook, decided.disable)
    if recovered:
        _make_due_now(webhook_id)
    _log(webhook_id, ready.delivery_id, outcome, duration_ms)
    db.session.commit()
    return decided.rest is None and decided.disable is None


def _make_due_now(webhook_id: int) -> None:
    """Makes the waiting deliveries of an endpoint due now: it answers again."""
    db.session.execute(
        update(OutgoingDelivery)
        .where(OutgoingDelivery.webhook_id == webhook_id, OutgoingDelivery.state == "due")
        .where(OutgoingDelivery.due_at > clock.now())
        .values(due_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def _give_back(webhook_id: int) -> None:
    db.session.rollback()
    _lease(webhook_id, func.clock_timestamp())
    db.session.commit()


def _lease(webhook_id: int, until: Any) -> None:
    db.session.execute(
        update(OutgoingWebhook)
        .where(OutgoingWebhook.id == webhook_id)
        .values(served_until=until)
        .execution_options(synchronize_session=False)
    )


def _log(webhook_id: int, delivery_id: int, outcome: Outcome, duration_ms: int) -> None:
    log.info(
        "outgoing_webhook",
        webhook_id=webhook_id,
        delivery_id=delivery_id,
        status=outcome.status,
        code=outcome.fault,
        duration_ms=duration_ms,
    )


WORK: Final = register(Work("outgoing_webhooks", emitting.LANE, waiting, send_due))
