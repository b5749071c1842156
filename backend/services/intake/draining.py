"""Processing stored events: heads of conversations first, each in a transaction of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from backend.channels import registry
from backend.channels.inbound import InboundEvent
from backend.core import clock, failpoints, queue
from backend.core.database import db, system_scope
from backend.core.logging import get_logger
from backend.core.sealed import keyring
from backend.models import JobRun, Sender, WebhookEvent
from backend.services.intake import telegram
from backend.services.intake.storing import row_name

log = get_logger(__name__)

MOST_FAILURES = 5
"""An event whose handler raises is parked after so many tries, about 15 seconds; its conversation waits that long."""
MOST_ATTEMPTS = 8
"""One whose process dies is given more time, about four minutes: perhaps it was not the event that killed it."""
_BATCH = 50
_RUN = 20
"""How many events of one conversation are processed before the others get their turn."""

Prepare = Callable[[Sender, InboundEvent], Any]
Handle = Callable[[Sender, InboundEvent, Any], None]
_HANDLERS: dict[str, tuple[Prepare, Handle]] = {"telegram_bot": (telegram.prepare, telegram.handle)}

_HEADS = text(
    """
    SELECT e.id FROM webhook_events e
     WHERE e.state = 'new' AND e.due_at <= :now
       AND NOT EXISTS (SELECT 1 FROM webhook_events b
                        WHERE b.sender_id = e.sender_id AND b.conversation_key = e.conversation_key
                          AND b.state = 'new' AND b.id < e.id)
     ORDER BY e.id LIMIT :most
    """
)


def drain(seconds: float = 10.0) -> int:
    """Processes what waits, for at most about `seconds`; returns how many events ended. Wakes itself for the rest."""
    queue.clear_flag("intake")
    started, ended = time.monotonic(), 0
    with system_scope("events belong to senders; each handler enters its workspace"):
        while heads := _heads():
            progressed = 0
            for event_id in heads:
                progressed += _run_conversation(event_id)
                if time.monotonic() - started > seconds:
                    queue.wake_now("intake")
                    return ended + progressed
            ended += progressed
            if progressed == 0:
                break
    return ended


def waiting() -> int:
    """How many events are due to be processed now; counts to 1,000 at most."""
    with system_scope("housekeeping"):
        found = db.session.execute(
            text(
                "SELECT count(*) FROM (SELECT 1 FROM webhook_events"
                " WHERE state = 'new' AND due_at <= :now LIMIT 1000) w"
            ),
            {"now": clock.now()},
        ).scalar_one()
        db.session.rollback()
    return int(found)


def _heads() -> list[int]:
    found = list(db.session.execute(_HEADS, {"now": clock.now(), "most": _BATCH}).scalars())
    db.session.rollback()
    return found


def _run_conversation(event_id: int) -> int:
    """Processes an event and those that follow it in its conversation; stops at the first that does not end."""
    ended = 0
    following: int | None = event_id
    while following is not None and ended < _RUN:
        event = _begin(following)
        if event is None or not _process(event):
            break
        ended += 1
        following = db.session.execute(
            select(WebhookEvent.id)
            .where(WebhookEvent.sender_id == event.sender_id, WebhookEvent.state == "new")
            .where(WebhookEvent.conversation_key == event.conversation_key, WebhookEvent.due_at <= clock.now())
            .order_by(WebhookEvent.id)
            .limit(1)
        ).scalar()
        db.session.rollback()
    return ended


def _begin(event_id: int) -> WebhookEvent | None:
    """Counts the attempt and commits it, before anything that could end this process.

    It also moves the event's next try away: should this process die, others go first and the event is not met by the
    same killer at once.
    """
    event = db.session.execute(
        select(WebhookEvent)
        .where(WebhookEvent.id == event_id, WebhookEvent.state == "new")
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if event is None:
        db.session.rollback()
        return None
    if event.attempts >= MOST_ATTEMPTS:
        _park(event, event.error or "process_died")
        db.session.commit()
        return None
    event.attempts += 1
    event.due_at = clock.now() + timedelta(seconds=2.0**event.attempts)
    db.session.commit()
    failpoints.hit("intake.stored_not_processed")
    return event


def _process(event: WebhookEvent) -> bool:
    """Processes one event; True when it ended (also when parked), False when it has to wait or is somebody else's."""
    event_id, sender_id, key = event.id, event.sender_id, event.key
    try:
        sender = db.session.get(Sender, sender_id)
        if sender is None or event.body_encrypted is None:
            return _finish_empty(event_id)
        raw = keyring().decrypt(
            event.body_encrypted, table="webhook_events", column="body_encrypted", row=row_name(sender_id, key)
        )
        channel = registry.get(event.channel)
        prepare, handle = _HANDLERS[event.channel]
        # Preparing may ask the provider something: it gets a detached sender and no open transaction.
        db.session.expunge(sender)
        db.session.rollback()
        found = [(one, prepare(sender, one)) for one in channel.parse(raw)]
        db.session.rollback()
        locked = db.session.execute(
            select(WebhookEvent)
            .where(WebhookEvent.id == event_id, WebhookEvent.state == "new")
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).scalar_one_or_none()
        if locked is None:
            db.session.rollback()
            return False
        failpoints.hit("intake.claimed")
        sender = db.session.get_one(Sender, sender_id)
        for one, facts in found:
            handle(sender, one, facts)
        locked.state, locked.processed_at, locked.error = "done", clock.now(), None
        db.session.flush()
        failpoints.hit("intake.processed_not_committed")
        db.session.commit()
        return True
    except OperationalError:
        db.session.rollback()
        raise
    except Exception as error:
        db.session.rollback()
        log.exception("event_failed", event_id=event_id, error=type(error).__name__)
        return _failed(event_id, type(error).__name__)


def _failed(event_id: int, code: str) -> bool:
    event = db.session.get(WebhookEvent, event_id, populate_existing=True, with_for_update=True)
    if event is None or event.state != "new":
        db.session.rollback()
        return False
    event.error = code
    if event.attempts >= MOST_FAILURES:
        _park(event, code)
    else:
        event.due_at = clock.now() + timedelta(seconds=2.0 ** (event.attempts - 1))
    parked = event.state == "parked"
    db.session.commit()
    return parked


def _park(event: WebhookEvent, code: str) -> None:
    """Puts an event aside where an operator finds it; those behind it go on."""
    now = clock.now()
    event.state, event.error, event.processed_at = "parked", code, now
    db.session.add(
        JobRun(
            job="intake",
            state="failed",
            code="event_parked",
            detail=code,
            subject=f"webhook_events:{event.id}",
            started_at=event.received_at,
            finished_at=now,
        )
    )


def _finish_empty(event_id: int) -> bool:
    db.session.rollback()
    db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id == event_id, WebhookEvent.state == "new")
        .values(state="ignored", error="no_body", processed_at=clock.now())
    )
    db.session.commit()
    return True
