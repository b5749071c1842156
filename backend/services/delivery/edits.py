"""Edits and deletions of sent messages: level-triggered, part by part.

An edit is rendered when it starts, so only the newest version is sent, and at most one is open for each part. The claim
holds an edit or a deletion back until the sends before it are recorded. Nothing here ever says a thing again that is
of a kind that must be said once at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete as sql_delete
from sqlalchemy import select

from backend.channels import registry
from backend.channels.base import Content
from backend.channels.fitting import Fitted
from backend.channels.forms import Form
from backend.core import clock, queue
from backend.core.database import db
from backend.models import Delivery, Message, MessagePart
from backend.services.delivery.outbox import channel_of, conversation_of, form_of, insert_deliveries, lock, row_of

_ENDED = ("failed", "canceled")


def edit(message: Message, content: Content) -> None:
    """Has the message say `content` from now on.

    Parts that wait are simply sent as they are now, further parts are sent, parts that fall away are deleted; one that
    says the same as before is left alone. A message
    that failed, was canceled or taken back stays as it is. Of one whose outcome is unknown only what the provider
    certainly holds is edited. A part that is gone at the provider stays gone. A content of which the channel carries
    nothing changes nothing.
    """
    lock(message)
    if message.state in _ENDED or message.deleted_at is not None:
        return
    channel = channel_of(message)
    fitted = Fitted.of(content, registry.spec(channel), form_of(message))
    if fitted.code is not None:
        return
    parts = registry.get(channel).split(fitted.content, fitted.form)
    replace_content(message, parts, None if fitted.form == form_of(message) else fitted.form)
    queue.nudge()


def replace_content(
    message: Message, contents: Sequence[Content], form: Form | None = None, *, expires_at: datetime | None = None
) -> None:
    """Has the locked message consist of these parts, in a new form if there is one; further parts are sent until
    `expires_at`, or for as long as notifications are."""
    parts = [part.to_json() for part in contents]
    before = message.body["parts"]
    held, waiting = _held_parts(message), _open_operations(message)
    sent = {part for part, gone in held.items() if not gone}
    message.version += 1
    message.body = {**message.body, "parts": parts} | ({} if form is None else {"form": form.to_json()})
    db.session.flush()
    parts_before = sent | {part for part, _ in waiting}
    for part in range(max(len(parts), max(parts_before, default=0) + 1)):
        if held.get(part):
            continue
        opened = {operation: state for (changed_part, operation), state in waiting.items() if changed_part == part}
        if part in sent and not opened and part < min(len(parts), len(before)) and parts[part] == before[part]:
            # The provider holds just this: of a long message only the parts that change cost an operation.
            continue
        _change_part(message, part, part < len(parts), part in sent, opened, expires_at)


def delete(message: Message) -> None:
    """Takes the message back at the provider; parts that were not sent yet are not sent. It cannot be edited again."""
    lock(message)
    held, waiting = _held_parts(message), _open_operations(message)
    sent = {part for part, gone in held.items() if not gone}
    _drop(message, *{operation for _, operation in waiting})
    sending = {part for (part, operation), state in waiting.items() if operation == "send" and state == "sending"}
    message.deleted_at = clock.now()
    if not sent and not sending and message.state == "queued":
        message.state, message.error = "canceled", "deleted"
    for part in sorted(sent | sending):
        _open(message, part, "delete")
    db.session.flush()
    queue.nudge()


def _change_part(
    message: Message, part: int, wanted: bool, sent: bool, opened: dict[str, str], expires_at: datetime | None
) -> None:
    """Opens and drops the operations of one part. `opened` holds its open operations with their states."""
    if not wanted:
        _drop(message, "send", "edit", part=part)
        if sent or opened.get("send") == "sending":
            _open(message, part, "delete")
        return
    _drop(message, "delete", part=part)
    if sent and opened.get("delete") != "sending":
        _open(message, part, "edit")
    elif opened.get("send") == "sending":
        # It may still say the old text; if it said the newest, the edit falls away when it is recorded.
        _open(message, part, "edit")
    elif "send" not in opened and message.state != "unknown":
        _open(message, part, "send", expires_at)


def _held_parts(message: Message) -> dict[int, bool]:
    """The parts that the provider was given, and whether each is gone there."""
    rows = db.session.execute(
        select(MessagePart.part, MessagePart.gone_code).where(MessagePart.message_id == message.id)
    )
    return {row.part: row.gone_code is not None for row in rows}


def _open_operations(message: Message) -> dict[tuple[int, str], str]:
    """The message's open operations by (part, operation), with their states.

    Locked: a claim skips these rows until we have committed, and then reads the body we are about to write.
    """
    rows = db.session.execute(
        select(Delivery.part, Delivery.operation, Delivery.state)
        .where(Delivery.message_id == message.id)
        .order_by(Delivery.id)
        .with_for_update()
    )
    return {(row.part, row.operation): row.state for row in rows}


def _open(message: Message, part: int, operation: str, expires_at: datetime | None = None) -> None:
    row = row_of(message, conversation_of(message), operation, part, due_at=clock.now())
    insert_deliveries([row | {"expires_at": expires_at} if expires_at is not None else row])


def _drop(message: Message, *operations: str, part: int | None = None) -> None:
    query = sql_delete(Delivery).where(
        Delivery.message_id == message.id, Delivery.state == "due", Delivery.operation.in_(operations)
    )
    if part is not None:
        query = query.where(Delivery.part == part)
    db.session.execute(query.execution_options(synchronize_session=False))
