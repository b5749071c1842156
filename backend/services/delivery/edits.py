"""Edits and deletions of sent messages: level-triggered, part by part.

An edit is rendered when it starts, so only the newest version is sent, and at most one is open for each part. The claim
holds an edit or a deletion back until the sends before it are recorded. Nothing here ever says a thing again that is
of a kind that must be said once at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete as sql_delete

from backend.channels import registry
from backend.channels.base import Content
from backend.channels.fitting import Fitted
from backend.channels.forms import Form
from backend.core import clock, queue
from backend.core.database import db
from backend.models import Delivery, Message
from backend.services.delivery import operations
from backend.services.delivery.operations import Changes, Operations
from backend.services.delivery.outbox import (
    NOTIFICATION_LIFE,
    channel_of,
    conversation_of,
    form_of,
    insert_deliveries,
    lock,
    row_of,
)

_ENDED = ("failed", "canceled")


def edit(message: Message, content: Content, known: Operations | None = None) -> None:
    """Has the message say `content` from now on.

    Parts that wait are simply sent as they are now, further parts are sent, parts that fall away are deleted; one that
    says the same as before is left alone. A message
    that failed, was canceled or taken back stays as it is. Of one whose outcome is unknown only what the provider
    certainly holds is edited. A part that is gone at the provider stays gone. A content of which the channel carries
    nothing changes nothing. `known` are its operations, where the caller has locked the message and read them.
    """
    if known is None:
        lock(message)
    if message.state in _ENDED or message.deleted_at is not None:
        return
    channel = channel_of(message)
    fitted = Fitted.of(content, registry.spec(channel), form_of(message))
    if fitted.code is not None:
        return
    parts = registry.get(channel).split(fitted.content, fitted.form)
    replace_content(message, parts, None if fitted.form == form_of(message) else fitted.form, known=known)
    queue.nudge()


def replace_content(
    message: Message,
    contents: Sequence[Content],
    form: Form | None = None,
    *,
    expires_at: datetime | None = None,
    known: Operations | None = None,
) -> None:
    """Has the locked message consist of these parts, in a new form if there is one; further parts are sent until
    `expires_at`, or for as long as notifications are."""
    parts = [part.to_json() for part in contents]
    before = message.body["parts"]
    known = known or operations.read(message)
    sent = {part for part, gone in known.held.items() if not gone}
    body = {**message.body, "parts": parts} | ({} if form is None else {"form": form.to_json()})
    parts_before = sent | {part for part, _ in known.waiting}
    changes = Changes()
    for part in range(max(len(parts), max(parts_before, default=0) + 1)):
        if known.held.get(part):
            continue
        opened = known.of_part(part)
        if part in sent and not opened and part < min(len(parts), len(before)) and parts[part] == before[part]:
            # The provider holds just this: of a long message only the parts that change cost an operation.
            continue
        _change_part(changes, part, opened, wanted=part < len(parts), sent=part in sent, state=message.state)
    chat_key = conversation_of(message).chat_key
    operations.change(message, body, changes, chat_key=chat_key, life=NOTIFICATION_LIFE, send_until=expires_at)


def delete(message: Message) -> None:
    """Takes the message back at the provider; parts that were not sent yet are not sent. It cannot be edited again."""
    lock(message)
    known = operations.read(message)
    sent = {part for part, gone in known.held.items() if not gone}
    _drop(message, *{operation for _, operation in known.waiting})
    sending = {
        part for (part, operation), row in known.waiting.items() if operation == "send" and row.state == "sending"
    }
    message.deleted_at = clock.now()
    if not sent and not sending and message.state == "queued":
        message.state, message.error = "canceled", "deleted"
    for part in sorted(sent | sending):
        _open(message, part, "delete")
    db.session.flush()
    queue.nudge()


def _change_part(changes: Changes, part: int, opened: dict[str, str], *, wanted: bool, sent: bool, state: str) -> None:
    """Opens and drops the operations of one part. `opened` holds its open operations with their states, `state` is the
    message's."""
    unwanted = ("delete",) if wanted else ("send", "edit")
    changes.dropped += [(part, operation) for operation in unwanted if opened.get(operation) == "due"]
    if not wanted:
        if sent or opened.get("send") == "sending":
            changes.opened.append((part, "delete"))
    elif (sent and opened.get("delete") != "sending") or opened.get("send") == "sending":
        # One that is being sent may still say the old text; if it said the newest, the edit falls away when that is
        # recorded.
        changes.opened.append((part, "edit"))
    elif "send" not in opened and state != "unknown":
        changes.opened.append((part, "send"))


def _open(message: Message, part: int, operation: str) -> None:
    insert_deliveries([row_of(message, conversation_of(message), operation, part, due_at=clock.now())])


def _drop(message: Message, *names: str) -> None:
    query = sql_delete(Delivery).where(
        Delivery.message_id == message.id, Delivery.state == "due", Delivery.operation.in_(names)
    )
    db.session.execute(query.execution_options(synchronize_session=False))
