"""What came before the message that it is about: kept, and tried again when due.

Receipts and echoes overtake the record of a send; edits, reactions, deletions and read marks overtake the message
itself. They are tried for a day: a process may have died between the provider's answer and the record. An echo that is
not ours after five seconds was written by a person.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import select

from backend.channels.inbound import (
    EchoReceived,
    MessageDeleted,
    MessageReceived,
    ReactionChanged,
    ReadMarkReceived,
    ReceiptReceived,
    WatermarkReceived,
)
from backend.core import clock
from backend.core.backoff import Backoff
from backend.core.database import db, system_scope
from backend.core.logging import get_logger
from backend.core.work import AWAY, Turn, Waiting, Work, register
from backend.models import PendingReceipt, Sender
from backend.services.conversations import message_changes
from backend.services.receipts.echoes import apply_echo
from backend.services.receipts.read_marks import apply_read_mark
from backend.services.receipts.status import apply_receipt
from backend.services.receipts.watermarks import apply_watermark

log = get_logger(__name__)

Receivable = (
    ReceiptReceived
    | WatermarkReceived
    | EchoReceived
    | ReadMarkReceived
    | ReactionChanged
    | MessageDeleted
    | MessageReceived
)
"""Of messages only those that change an earlier one (`edited`)."""
RECEIPT_BACKOFF: Final = Backoff(1.0, 3600.0)
RECEIPT_LIFE: Final = timedelta(hours=24)
ECHO_PAUSE: Final = timedelta(seconds=1)
ECHO_LIFE: Final = timedelta(seconds=5)
WATERMARK_LIFE: Final = timedelta(seconds=30)
_BATCH: Final = 100
_WHY: Final = "which workspace's message a receipt is about is found out by its id"
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    "receipt": TypeAdapter(ReceiptReceived),
    "watermark": TypeAdapter(WatermarkReceived),
    "echo": TypeAdapter(EchoReceived),
    "read_mark": TypeAdapter(ReadMarkReceived),
    "reaction": TypeAdapter(ReactionChanged),
    "deletion": TypeAdapter(MessageDeleted),
    "edit": TypeAdapter(MessageReceived),
}


def receive(sender: Sender, event: Receivable) -> None:
    """Applies what a provider reports, in the caller's transaction and in the system scope; what has overtaken the
    record of its send is kept."""
    if _apply(sender, event, timedelta(0)):
        return
    now = clock.now()
    row = PendingReceipt(sender_id=sender.id, due_at=now + ECHO_PAUSE, created_at=now)
    row.payload = dump(event)
    db.session.add(row)
    db.session.flush()


def waiting() -> Waiting:
    """What is kept and due to be tried again."""
    return (select(PendingReceipt.id).where(PendingReceipt.due_at <= clock.now()),)


def retry(turn: Turn) -> int:
    """Tries again what is due, each in a transaction of its own, until the turn is over; returns how many ended."""
    ended = 0
    with system_scope(_WHY):
        while True:
            ids = list(
                db.session.execute(
                    select(PendingReceipt.id)
                    .where(PendingReceipt.due_at <= clock.now())
                    .order_by(PendingReceipt.due_at)
                    .limit(_BATCH)
                ).scalars()
            )
            db.session.rollback()
            for row_id in ids:
                ended += _retry(row_id)
                if turn.is_over():
                    turn.go_on_later()
                    return ended
            if len(ids) < _BATCH:
                return ended


def dump(event: Receivable) -> str:
    """The event as JSON that `load` reads."""
    kind = next(name for name, shape in _SHAPES.items() if isinstance(event, shape))
    return json.dumps({"kind": kind, "event": _ADAPTERS[kind].dump_python(event, mode="json")})


def load(payload: str) -> Receivable:
    """The event of a payload. Raises ValueError and KeyError for one that `dump` never made."""
    value = json.loads(payload)
    event: Receivable = _ADAPTERS[value["kind"]].validate_python(value["event"])
    return event


def _retry(row_id: int) -> bool:
    try:
        row = db.session.execute(
            select(PendingReceipt)
            .where(PendingReceipt.id == row_id, PendingReceipt.due_at <= clock.now())
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).scalar_one_or_none()
        if row is None:
            db.session.rollback()
            return False
        ended = _try(row)
        db.session.commit()
        return ended
    except AWAY:
        db.session.rollback()
        raise
    except Exception as error:
        db.session.rollback()
        log.exception("receipt_failed", pending_id=row_id, error=type(error).__name__)
        return _put_off(row_id)


def _try(row: PendingReceipt) -> bool:
    sender, event, now = db.session.get(Sender, row.sender_id), load(row.payload), clock.now()
    age, life = now - row.created_at, _life(event)
    if sender is None or _apply(sender, event, age) or age >= life:
        if age >= life:
            log.info("receipt_without_message", sender_id=row.sender_id, kind=type(event).__name__)
        db.session.delete(row)
        return True
    row.tries += 1
    pause = ECHO_PAUSE if age < ECHO_LIFE else RECEIPT_BACKOFF.wait(row.tries, row.id)
    row.due_at = min(now + pause, row.created_at + life)
    db.session.flush()
    return False


def _put_off(row_id: int) -> bool:
    """Moves what could not be tried for a defect away, so that others have their turn; gives up after its day."""
    row = db.session.get(PendingReceipt, row_id, populate_existing=True, with_for_update=True)
    if row is None:
        db.session.rollback()
        return False
    expired = clock.now() >= row.created_at + RECEIPT_LIFE
    if expired:
        db.session.delete(row)
    else:
        row.tries = min(row.tries + 1, 1000)
        row.due_at = clock.now() + RECEIPT_BACKOFF.wait(row.tries + 3, row.id)
    db.session.commit()
    return expired


def _life(event: Receivable) -> timedelta:
    if isinstance(event, WatermarkReceived):
        return WATERMARK_LIFE
    return RECEIPT_LIFE


def _apply(sender: Sender, event: Receivable, age: timedelta) -> bool:
    if isinstance(event, EchoReceived):
        return apply_echo(sender, event, has_waited=age >= ECHO_LIFE)
    if isinstance(event, WatermarkReceived):
        return apply_watermark(sender, event)
    if isinstance(event, ReceiptReceived):
        return apply_receipt(sender, event)
    if isinstance(event, ReadMarkReceived):
        return apply_read_mark(sender, event)
    if isinstance(event, ReactionChanged):
        return message_changes.apply_reaction(sender, event)
    if isinstance(event, MessageDeleted):
        return message_changes.apply_deletion(sender, event)
    return message_changes.apply_edit(sender, event)


_SHAPES: Final[dict[str, type[Receivable]]] = {
    "receipt": ReceiptReceived,
    "watermark": WatermarkReceived,
    "echo": EchoReceived,
    "read_mark": ReadMarkReceived,
    "reaction": ReactionChanged,
    "deletion": MessageDeleted,
    "edit": MessageReceived,
}
WORK: Final = register(Work("pending_receipts", "intake", waiting, retry))
