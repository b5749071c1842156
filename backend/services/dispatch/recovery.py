"""Recovery: what a dead process left behind, and what has waited too long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import Select, delete, select

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.leases import Lease
from backend.core.logging import get_logger
from backend.models import Delivery, Message, Sender, SenderLease
from backend.services.delivery.events import message_ended
from backend.services.dispatch.outcomes import end, note_failure
from backend.services.dispatch.repetition import Repetition, first_unknown, repetition, report_wait
from backend.services.dispatch.retry_policy import MAX_ATTEMPTS, Decision, Next

log = get_logger(__name__)
_BATCH = 200


def take_over(lease: Lease) -> int:
    """Settles what earlier epochs left `sending`: perhaps it was sent, perhaps not. Commits; returns how many.

    Where a repeat is allowed the row is due again; where it is not, the message ends as `unknown` and is shown to an
    operator.
    """
    leftover = select(Delivery.id).where(
        Delivery.sender_id == lease.sender_id, Delivery.state == "sending", Delivery.epoch < lease.epoch
    )
    with system_scope("a lease serves all workspaces of its sender"):
        ids = list(db.session.execute(leftover.order_by(Delivery.id)).scalars())
        db.session.rollback()
        count = sum(_settle(lease, delivery_id) for delivery_id in ids)
    if count:
        log.warning("outcomes_unknown_after_crash", sender_id=lease.sender_id, count=count)
    return count


def settle_orphans(lease: Lease, delivery_ids: Iterable[int]) -> int:
    """Settles rows that are `sending` under this very lease though nobody transmits them. Commits; returns how many.

    So it happens when a claim was committed and its answer lost, or when an outcome could not be recorded.
    """
    with system_scope("a lease serves all workspaces of its sender"):
        count = sum(_settle(lease, delivery_id, own=True) for delivery_id in delivery_ids)
    if count:
        log.warning("orphaned_operations_settled", sender_id=lease.sender_id, count=count)
    return count


def _settle(lease: Lease, delivery_id: int, *, own: bool = False) -> bool:
    """Settles one row under locks, in a transaction of its own; False when somebody else did, or may."""
    held = db.session.execute(
        select(SenderLease.sender_id)
        .where(SenderLease.sender_id == lease.sender_id, SenderLease.epoch == lease.epoch)
        .with_for_update(read=True)
    ).scalar()
    message_id = db.session.execute(select(Delivery.message_id).where(Delivery.id == delivery_id)).scalar()
    message = None
    if message_id is not None:
        message = db.session.execute(
            select(Message).where(Message.id == message_id).with_for_update().execution_options(populate_existing=True)
        ).scalar_one_or_none()
    row = db.session.execute(
        select(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state != "due")
        .where(Delivery.epoch == lease.epoch if own else Delivery.epoch < lease.epoch)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if held is None or row is None:
        db.session.rollback()
        return False
    _end_or_repeat(row, message)
    db.session.commit()
    return True


def _end_or_repeat(row: Delivery, message: Message | None) -> None:
    # Without the account's key: what is unknown uses its quota all the same.
    note_failure(row, "unknown", "process_died", message.kind if message is not None else None)
    db.session.flush()
    repeats = repetition(row.client_ref, None if row.client_ref is None else first_unknown(row.id), clock.now())
    if repeats is Repetition.OVER or (row.at_most_once and repeats is Repetition.BY_KIND):
        end(row, message, Decision(Next.UNKNOWN, "process_died", "unknown"))
    elif row.attempts >= MAX_ATTEMPTS:
        end(row, message, Decision(Next.FAILED, "gave_up", "unknown"))
    else:
        sender = db.session.get(Sender, row.sender_id) if row.operation == "send" else None
        wait = 0.0 if sender is None else report_wait(sender.channel)
        row.state, row.reason, row.due_at = "due", "outcome_unknown", clock.now() + timedelta(seconds=wait)
    db.session.flush()


def expire() -> int:
    """Ends what has waited past its life, in batches; the message fails as `expired`. Commits."""
    return _end_batch(Delivery.expires_at <= clock.now(), "failed", "expired")


def expired() -> Select[int]:
    """What has waited past its life."""
    return select(Delivery.id).where(Delivery.expires_at <= clock.now(), Delivery.state == "due")


def _end_batch(which: object, state: str, code: str) -> int:
    total = 0
    with system_scope("housekeeping"):
        while True:
            rows = db.session.execute(
                select(Delivery.id, Delivery.message_id, Delivery.operation)
                .where(which, Delivery.state == "due")  # type: ignore[arg-type]
                .order_by(Delivery.message_id, Delivery.id)
                .limit(_BATCH)
            ).all()
            if not rows:
                db.session.rollback()
                return total
            total += _end_rows(
                [row.message_id for row in rows if row.operation == "send"], [r.id for r in rows], state, code
            )


def _end_rows(message_ids: list[int | None], delivery_ids: list[int], state: str, code: str) -> int:
    ids = sorted({message_id for message_id in message_ids if message_id is not None})
    # Messages first, then deliveries: the order of every other writer. A row that was claimed meanwhile stays.
    messages = db.session.execute(
        select(Message).where(Message.id.in_(ids)).order_by(Message.id).with_for_update()
    ).scalars()
    messages_by_id = {message.id: message for message in messages}
    ended = db.session.execute(
        delete(Delivery)
        .where(Delivery.id.in_(delivery_ids), Delivery.state == "due")
        .returning(Delivery.id, Delivery.message_id, Delivery.operation)
        .execution_options(synchronize_session=False)
    ).all()
    for message_id in sorted({row.message_id for row in ended if row.message_id and row.operation == "send"}):
        db.session.execute(
            delete(Delivery)
            .where(Delivery.message_id == message_id, Delivery.state == "due")
            .execution_options(synchronize_session=False)
        )
        message = messages_by_id[message_id]
        if message.state == "queued":
            message.state, message.error = state, code
            db.session.flush()
            message_ended(message_id, state, code)
    db.session.commit()
    return len(ended)
