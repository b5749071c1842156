"""Recording outcomes: one transaction for a batch, fenced by (id, epoch).

Whatever a process learns too late, after another took its sender over, finds no row and changes nothing. Lock order is
message before delivery, as in `outbox.edit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from backend.channels.base import Receipt
from backend.core import clock, events, failpoints
from backend.core.database import db, system_scope
from backend.core.leases import FENCING
from backend.core.logging import get_logger
from backend.models import Attempt, Conversation, Delivery, Message, MessagePart, SenderLease
from backend.services.delivery import outbox
from backend.services.delivery.claiming import Claimed
from backend.services.delivery.decisions import Decision, Next
from backend.services.delivery.events import message_ended

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a claimed delivery: a receipt, or the decision on its failure."""

    claimed: Claimed
    receipt: Receipt | None = None
    decision: Decision | None = None


def record(outcomes: Sequence[Outcome]) -> None:
    """Records a batch and commits. Raises what the database raises; nothing is recorded then."""
    with system_scope("the outbox serves all workspaces"):
        # One order of locks for everybody who locks several messages.
        for outcome in sorted(outcomes, key=lambda one: (one.claimed.message_id or 0, one.claimed.id)):
            _record_one(outcome)
        db.session.flush()
        failpoints.hit("delivery.recorded_not_committed")
        db.session.commit()
    failpoints.hit("delivery.committed")


def _record_one(outcome: Outcome) -> None:
    claimed = outcome.claimed
    message = _locked_message(claimed.message_id)
    row = db.session.execute(
        select(Delivery)
        .where(Delivery.id == claimed.id, Delivery.state == "sending")
        .where(Delivery.epoch == claimed.epoch if FENCING else Delivery.id == claimed.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        log.warning("late_outcome_refused", delivery_id=claimed.id, epoch=claimed.epoch)
        return
    if outcome.receipt is not None:
        _record_success(row, message, claimed, outcome.receipt)
    elif outcome.decision is not None:
        _record_failure(row, message, claimed, outcome.decision)


def _locked_message(message_id: int | None) -> Message | None:
    if message_id is None:
        return None
    return db.session.execute(
        select(Message).where(Message.id == message_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()


def _record_success(row: Delivery, message: Message | None, claimed: Claimed, receipt: Receipt) -> None:
    now = clock.now()
    if message is None or claimed.operation in ("answer_callback", "chat_action"):
        db.session.delete(row)
        return
    if claimed.operation == "delete":
        db.session.execute(
            delete(MessagePart).where(MessagePart.message_id == message.id, MessagePart.part == claimed.part)
        )
        db.session.delete(row)
        return
    if claimed.operation == "edit":
        db.session.execute(
            update(MessagePart)
            .where(MessagePart.message_id == message.id, MessagePart.part == claimed.part)
            .values(sent_version=claimed.version)
        )
        if message.version > claimed.version:
            row.state, row.due_at, row.reason, row.attempts = "due", now, "queued", 0
        else:
            db.session.delete(row)
        return
    _record_sent(row, message, claimed, receipt)


def _record_sent(row: Delivery, message: Message, claimed: Claimed, receipt: Receipt) -> None:
    now = clock.now()
    external_id = receipt.external_ids[0] if receipt.external_ids else ""
    values = {
        "workspace_id": message.workspace_id,
        "message_id": message.id,
        "part": claimed.part,
        "sender_id": claimed.sender_id,
        "chat_key": claimed.chat_key or 0,
        "external_id": external_id,
        "sent_version": claimed.version,
        "sent_at": now,
    }
    db.session.execute(
        insert(MessagePart)
        .values(values)
        .on_conflict_do_update(index_elements=["message_id", "part"], set_={"external_id": external_id, "sent_at": now})
    )
    db.session.delete(row)
    db.session.flush()
    if message.version == claimed.version:
        db.session.execute(
            delete(Delivery).where(
                Delivery.message_id == message.id,
                Delivery.part == claimed.part,
                Delivery.operation == "edit",
                Delivery.state == "due",
            )
        )
    if claimed.part == 0:
        message.external_id = external_id
    waiting = db.session.execute(
        select(func.count())
        .select_from(Delivery)
        .where(Delivery.message_id == message.id, Delivery.operation == "send")
    ).scalar_one()
    if waiting == 0 and message.state == "queued":
        message.state, message.sent_at = "sent", now


def _record_failure(row: Delivery, message: Message | None, claimed: Claimed, decision: Decision) -> None:
    now = clock.now()
    db.session.add(
        Attempt(
            workspace_id=claimed.workspace_id,
            sender_id=claimed.sender_id,
            chat_key=claimed.chat_key,
            message_id=claimed.message_id,
            delivery_id=claimed.id,
            part=claimed.part,
            operation=claimed.operation,
            phase=decision.phase,
            code=decision.code,
            epoch=claimed.epoch,
            at=now,
        )
    )
    if decision.pause > 0:
        _pause_sender(claimed, decision)
    if decision.next is Next.AGAIN:
        row.state, row.reason = "due", decision.code
        row.due_at = now + timedelta(seconds=decision.seconds)
    else:
        end(row, message, decision)
    db.session.flush()
    _tell_others(claimed, decision)


def end(row: Delivery, message: Message | None, decision: Decision) -> None:
    """Ends a delivery that will not be tried again, and with a `send` its message and the message's other parts."""
    db.session.delete(row)
    if message is None or row.operation != "send" or message.state != "queued":
        return
    message.state = "unknown" if decision.next is Next.UNKNOWN else "failed"
    message.error = decision.code
    message.error_detail = decision.detail[:500] or None
    db.session.flush()
    db.session.execute(delete(Delivery).where(Delivery.message_id == message.id, Delivery.state == "due"))
    message_ended(message.id, message.state, decision.code)


def _pause_sender(claimed: Claimed, decision: Decision) -> None:
    until = clock.now() + timedelta(seconds=decision.pause)
    db.session.execute(
        update(SenderLease)
        .where(SenderLease.sender_id == claimed.sender_id, SenderLease.epoch == claimed.epoch)
        .where((SenderLease.paused_until.is_(None)) | (SenderLease.paused_until < until))
        .values(paused_until=until, pause_reason=decision.code)
    )


def _tell_others(claimed: Claimed, decision: Decision) -> None:
    if decision.disables_sender:
        events.publish("sender_disabled", sender_id=claimed.sender_id, code=decision.code)
    conversation = db.session.get(Conversation, claimed.conversation_id) if claimed.conversation_id else None
    if conversation is None:
        return
    if decision.moved_to is not None:
        events.publish(
            "chat_moved",
            sender_id=claimed.sender_id,
            old_chat_id=conversation.chat_id,
            new_chat_id=decision.moved_to,
        )
    if decision.next is Next.FAILED and decision.phase == "unreachable":
        events.publish(
            "recipient_unreachable",
            sender_id=claimed.sender_id,
            chat_hash=conversation.chat_hash,
            code=decision.code,
            disables_link=decision.blocks_chat,
        )
        if decision.blocks_chat:
            outbox.block(claimed.sender_id, conversation.chat_hash, decision.code)
