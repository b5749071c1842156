"""Recording outcomes: one transaction for a batch, fenced by (id, epoch).

Whatever a process learns too late, after another took its sender over, finds no row and changes nothing. Lock order is
message before delivery, as in `editing.edit`.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import BigInteger, Text, bindparam, delete, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError

from backend.channels import registry
from backend.channels.base import Receipt
from backend.core import clock, events, failpoints
from backend.core.database import UtcDateTime, db, system_scope
from backend.core.leases import FENCING
from backend.core.logging import get_logger
from backend.models import SENT_STATES, Attempt, Conversation, Delivery, Message, MessagePart, SenderLease
from backend.services import live, senders
from backend.services.delivery.cancellation import block, mark_unreachable
from backend.services.delivery.events import FOLLOWED_KINDS, MessageSent, message_ended, message_gone
from backend.services.dispatch import milder_forms
from backend.services.dispatch.claims import Claimed
from backend.services.dispatch.events import ChatMoved, RecipientUnreachable
from backend.services.dispatch.retry_policy import Decision, Next
from backend.services.senders.events import SenderPaused, SenderStopped

log = get_logger(__name__)
_FOR_GOOD = frozenset({"rejected", "unreachable"})
_MAX_NOTED = 10
"""Messages of one workspace that a batch names to live connections."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a claimed delivery: a receipt, or the decision on its failure."""

    claimed: Claimed
    receipt: Receipt | None = None
    decision: Decision | None = None


def record(outcomes: Sequence[Outcome]) -> None:
    """Records a batch and commits. Raises what the database raises; nothing is recorded then.

    Where a provider gives an id that another part has, because it has begun its ids again, the newer part gets it.
    """
    try:
        _record(outcomes)
    except IntegrityError as error:
        if "uq_message_parts_box" not in str(error.orig):
            raise
        db.session.rollback()
        for outcome in outcomes:
            with system_scope("the outbox serves all workspaces"):
                db.session.execute(_TAKE_ID, {"delivery_id": outcome.claimed.id, "external_id": _sent_id(outcome)})
            _record([outcome])


def _reporting() -> list[str]:
    """The channels whose providers take a message first and report later that it was sent."""
    return [spec.name for spec in registry.specs() if "sent" in spec.capabilities.receipts]


def _record(outcomes: Sequence[Outcome]) -> None:
    sent = [outcome for outcome in outcomes if outcome.receipt is not None and outcome.claimed.operation == "send"]
    others = [outcome for outcome in outcomes if outcome.receipt is None or outcome.claimed.operation != "send"]
    ids = {outcome.claimed.message_id for outcome in outcomes} - {None}
    with system_scope("the outbox serves all workspaces"):
        messages: dict[int, Message] = {}
        if others:
            messages = _lock_messages(ids)
        elif ids:
            # All of a batch's messages at once, in order of id: everybody locks messages so, and before deliveries.
            db.session.execute(select(Message.id).where(Message.id.in_(ids)).order_by(Message.id).with_for_update())
        _record_sent(sent)
        for outcome in sorted(others, key=lambda outcome: outcome.claimed.id):
            _record_one(outcome, messages.get(outcome.claimed.message_id or 0))
        db.session.flush()
        _pause_senders(others)
        failpoints.hit("delivery.recorded_not_committed")
        db.session.commit()
    failpoints.hit("delivery.committed")


# The common case in one statement, for it decides what a message costs. The snapshot is taken after the messages are
# locked, so an edit that committed before is seen, and one that comes later waits. "Not due" means `sending`: said so,
# the planner finds a row by its id, and does not read the index of all in flight, which looks small to it and is full
# of dead entries while a transaction is held open.
SENT = text(
    """
    WITH o AS (
        SELECT * FROM unnest(:ids, :epochs, :versions, :externals) AS o(id, epoch, version, external_id)
    ), gone AS (
        DELETE FROM deliveries d USING o
         WHERE d.id = o.id AND d.state <> 'due' AND (d.epoch = o.epoch OR NOT :fencing)
        RETURNING d.id, d.workspace_id, d.message_id, d.part, d.sender_id, d.chat_key, d.conversation_id, o.version,
                  o.external_id,
                  CASE WHEN CAST(:reporting AS text[]) <> '{}' THEN EXISTS (
                       SELECT FROM conversations c WHERE c.id = d.conversation_id AND c.channel = ANY(:reporting))
                       ELSE false END AS reports_sent
    ), kept AS (
        INSERT INTO message_parts
               (workspace_id, message_id, part, sender_id, chat_key, box, external_id, sent_version, sent_at, state)
        SELECT workspace_id, message_id, part, sender_id, coalesce(chat_key, 0),
               CASE WHEN external_id = '' THEN NULL
                    WHEN (SELECT c.kind FROM conversations c WHERE c.id = gone.conversation_id)
                         IN ('supergroup', 'channel') THEN chat_key::text ELSE '' END,
               external_id, version, :now, CASE WHEN gone.reports_sent THEN 'accepted' END
          FROM gone
        ON CONFLICT (message_id, part) DO UPDATE
           SET box = excluded.box, external_id = excluded.external_id, sent_version = excluded.sent_version,
               sent_at = excluded.sent_at
    ), obsolete AS (
        DELETE FROM deliveries e USING gone g JOIN messages m ON m.id = g.message_id AND m.version = g.version
         WHERE e.message_id = g.message_id AND e.part = g.part AND e.operation = 'edit' AND e.state = 'due'
    ), updated AS (
        UPDATE messages m
           SET external_id = CASE WHEN g.part = 0 THEN g.external_id ELSE m.external_id END,
               state = CASE WHEN m.state = 'queued' AND g.is_last
                            THEN CASE WHEN g.reports_sent THEN 'accepted' ELSE 'sent' END ELSE m.state END,
               happened_at = CASE WHEN m.state = 'queued' AND g.is_last
                                   AND :now > coalesce(m.happened_at, m.created_at) + interval '1 minute'
                                  THEN :now ELSE m.happened_at END,
               sent_at = CASE WHEN m.state = 'queued' AND g.is_last THEN :now ELSE m.sent_at END
          FROM (SELECT gone.*, NOT EXISTS (SELECT 1 FROM deliveries r WHERE r.message_id = gone.message_id
                                              AND r.operation = 'send' AND r.id <> gone.id) AS is_last
                  FROM gone) g
         WHERE m.id = g.message_id AND (g.part = 0 OR g.is_last)
    )
    SELECT id FROM gone
    """
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("epochs", type_=ARRAY(BigInteger)),
    bindparam("versions", type_=ARRAY(BigInteger)),
    bindparam("externals", type_=ARRAY(Text)),
    bindparam("reporting", type_=ARRAY(Text)),
    bindparam("now", type_=UtcDateTime),
)


# Only after a batch was refused for it: looking each time would cost every message.
_TAKE_ID = text(
    """
    UPDATE message_parts p SET box = NULL
      FROM deliveries d JOIN conversations c ON c.id = d.conversation_id
     WHERE d.id = :delivery_id AND p.sender_id = d.sender_id AND p.workspace_id = d.workspace_id
       AND p.box = CASE WHEN c.kind IN ('supergroup', 'channel') THEN d.chat_key::text ELSE '' END
       AND p.external_id = :external_id AND (p.message_id, p.part) <> (d.message_id, d.part)
    """
)


def _sent_id(outcome: Outcome) -> str:
    """The provider's id of what was sent; empty where it gave none."""
    return next(iter(outcome.receipt.external_ids if outcome.receipt else ()), "")


def _record_sent(outcomes: Sequence[Outcome]) -> None:
    """Records accepted sends: at most one of each message, because a message's parts go one after the other."""
    if not outcomes:
        return
    recorded = set(
        db.session.execute(
            SENT,
            {
                "ids": [outcome.claimed.id for outcome in outcomes],
                "epochs": [outcome.claimed.epoch for outcome in outcomes],
                "versions": [outcome.claimed.version for outcome in outcomes],
                "externals": [_sent_id(outcome) for outcome in outcomes],
                "reporting": _reporting(),
                "now": clock.now(),
                "fencing": FENCING,
            },
        ).scalars()
    )
    for outcome in outcomes:
        if outcome.claimed.id not in recorded:
            _refuse(outcome.claimed)
    sent = [outcome.claimed for outcome in outcomes if outcome.claimed.id in recorded]
    for chat in (
        outcome for outcome in sent if outcome.unreachable_code is not None and outcome.conversation_id is not None
    ):
        conversation = db.session.get(Conversation, chat.conversation_id)
        if conversation is not None:
            mark_unreachable(chat.sender_id, conversation.chat_hash, None)
    _note(sent)
    _publish_sent(sent)


def _publish_sent(sent: Sequence[Claimed]) -> None:
    for claimed in sent:
        if claimed.kind not in FOLLOWED_KINDS or claimed.message_id is None:
            continue
        message = db.session.get(Message, claimed.message_id, populate_existing=True)
        if message is not None and message.state in SENT_STATES:
            events.publish(MessageSent(message.id))


def _note(sent: Sequence[Claimed]) -> None:
    """Notifies live connections; of many messages at once only that there were, since pages read a list anyway."""
    by_workspace: dict[int, list[Claimed]] = {}
    for claimed in sent:
        by_workspace.setdefault(claimed.workspace_id, []).append(claimed)
    for workspace_id, messages in by_workspace.items():
        if len(messages) > _MAX_NOTED:
            live.note(workspace_id, "messages")
            continue
        for claimed in messages:
            live.note(workspace_id, "messages", message_id=claimed.message_id, conversation_id=claimed.conversation_id)


def _refuse(claimed: Claimed) -> None:
    log.warning("late_outcome_refused", delivery_id=claimed.id, epoch=claimed.epoch)


def without_detail(outcome: Outcome) -> Outcome:
    """The least that can be recorded of an outcome whose full record was refused: that it was an internal error."""
    if outcome.decision is None:
        decision = Decision(Next.UNKNOWN, "internal_error", "unknown")
    else:
        decision = replace(outcome.decision, detail="")
    return Outcome(outcome.claimed, decision=decision)


def _record_one(outcome: Outcome, message: Message | None) -> None:
    claimed = outcome.claimed
    row = db.session.execute(
        select(Delivery)
        .where(Delivery.id == claimed.id, Delivery.state != "due")
        .where(Delivery.epoch == claimed.epoch if FENCING else Delivery.id == claimed.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        _refuse(claimed)
        return
    if outcome.receipt is not None:
        _record_success(row, message, claimed)
    elif outcome.decision is not None:
        _record_failure(row, message, claimed, outcome.decision)


def _lock_messages(ids: Set[int | None]) -> dict[int, Message]:
    """Locks and reads all of a batch's messages."""
    rows = db.session.execute(
        select(Message)
        .where(Message.id.in_(ids))
        .order_by(Message.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalars()
    return {message.id: message for message in rows}


def _record_success(row: Delivery, message: Message | None, claimed: Claimed) -> None:
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


def _record_failure(row: Delivery, message: Message | None, claimed: Claimed, decision: Decision) -> None:
    now = clock.now()
    ended: Decision | None = None
    note_failure(claimed, decision.phase, decision.code, claimed.kind)
    refused_edit = claimed.operation == "edit" and decision.phase == "rejected" and message is not None
    if refused_edit and message is not None and message.version > claimed.version:
        # What was refused is not what it should say any more.
        row.state, row.reason, row.due_at, row.attempts = "due", "queued", now, 0
    elif decision.next is Next.MILDER and message is not None and message.version > claimed.version:
        # The milder form is of what it does not say any more.
        row.state, row.reason, row.due_at = "due", "queued", now
    elif decision.next is Next.MILDER and decision.form is not None and message is not None:
        if not milder_forms.restate(row, message, decision.form):
            ended = replace(decision, next=Next.FAILED, phase="rejected")
    elif decision.next is Next.AGAIN:
        row.state, row.reason = "due", decision.code
        row.due_at = now + timedelta(seconds=decision.seconds)
    else:
        ended = decision
    if ended is not None:
        end(row, message, ended)
    db.session.flush()
    _publish_events(claimed, decision)
    if ended is not None and message is not None and claimed.operation == "edit" and ended.phase in _FOR_GOOD:
        _lose(message, claimed.part, ended.code)


def note_failure(of: Claimed | Delivery, phase: str, code: str, kind: str | None) -> None:
    """Adds the failure of a started operation of a message of this kind to the attempts."""
    db.session.add(
        Attempt(
            workspace_id=of.workspace_id,
            sender_id=of.sender_id,
            chat_key=of.chat_key,
            message_id=of.message_id,
            delivery_id=of.id,
            part=of.part,
            operation=of.operation,
            phase=phase,
            code=code,
            epoch=of.epoch,
            at=clock.now(),
            kind=kind,
            quota_key=of.quota_key if isinstance(of, Claimed) else None,
        )
    )


def end(row: Delivery, message: Message | None, decision: Decision) -> None:
    """Ends a delivery that will not be tried again, and with a `send` its message and the message's other parts."""
    db.session.delete(row)
    if message is None or row.operation != "send" or message.state != "queued":
        return
    message.state = "unknown" if decision.next is Next.UNKNOWN else "failed"
    message.error = decision.code
    message.error_detail = decision.detail.replace("\x00", "")[:500] or None
    db.session.flush()
    db.session.execute(delete(Delivery).where(Delivery.message_id == message.id, Delivery.state == "due"))
    message_ended(message.id, message.state, decision.code)


def _lose(message: Message, part: int, code: str) -> None:
    """Marks a part whose edit was refused for good as gone, so that news needs a new message.

    Called after the events about the chat were published.
    """
    this_part = (MessagePart.message_id == message.id, MessagePart.part == part)
    db.session.execute(update(MessagePart).where(*this_part).values(gone_code=code))
    first, message.gone_code = message.gone_code is None, message.gone_code or code
    db.session.flush()
    if first:
        live.note(message.workspace_id, "messages", message_id=message.id, conversation_id=message.conversation_id)
        message_gone(message.id, code)


def _pause_senders(outcomes: Sequence[Outcome]) -> None:
    """Pauses senders whose provider asked for it; last and in order, because claims and renewals lock leases too."""
    pauses = [
        (outcome.claimed, outcome.decision)
        for outcome in outcomes
        if outcome.decision is not None and outcome.decision.pause > 0
    ]
    for claimed, decision in sorted(pauses, key=lambda pair: pair[0].sender_id):
        until = clock.now() + timedelta(seconds=decision.pause)
        longer = db.session.execute(
            update(SenderLease)
            .where(SenderLease.sender_id == claimed.sender_id, SenderLease.epoch == claimed.epoch)
            .where((SenderLease.paused_until.is_(None)) | (SenderLease.paused_until < until))
            .values(paused_until=until, pause_reason=decision.code)
            .returning(SenderLease.sender_id)
        ).first()
        if longer is not None and decision.pause > senders.LONG_PAUSE.total_seconds():
            events.publish(SenderPaused(claimed.sender_id, decision.code))


def _publish_events(claimed: Claimed, decision: Decision) -> None:
    if decision.disables_sender:
        events.publish(SenderStopped(claimed.sender_id, decision.code))
    conversation = db.session.get(Conversation, claimed.conversation_id) if claimed.conversation_id else None
    if conversation is None:
        return
    if decision.moved_to is not None:
        events.publish(ChatMoved(claimed.sender_id, conversation.chat_id, decision.moved_to))
    if decision.next is Next.FAILED and decision.phase == "unreachable":
        events.publish(
            RecipientUnreachable(claimed.sender_id, conversation.chat_hash, decision.code, decision.blocks_chat)
        )
        if decision.blocks_chat:
            block(claimed.sender_id, conversation.chat_hash, decision.code)
        else:
            mark_unreachable(claimed.sender_id, conversation.chat_hash, decision.code)
