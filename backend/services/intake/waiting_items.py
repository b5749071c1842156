"""Items whose recipient's owner was not known when they came: tried again until it is, or is certainly not ours."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sqlalchemy import delete, select, update

from backend.core import clock, events, queue
from backend.core.backoff import Backoff
from backend.core.database import db, system_scope
from backend.core.encrypted_columns import keyring
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Sender, WebhookEvent
from backend.services import senders
from backend.services.intake.event_store import arrived, count_unknown, insert, row_name
from backend.services.senders.events import SenderIdentified

BACKOFF: Final = Backoff(5.0, 300.0)
_BATCH: Final = 100
_WHY: Final = "an item's workspace is found out by processing it"


def waiting() -> Waiting:
    """Items that are due to be tried again."""
    return (select(WebhookEvent.id).where(WebhookEvent.state == "waiting", WebhookEvent.due_at <= clock.now()),)


def resolve(turn: Turn) -> int:
    """Hands items to their owners and drops those that nobody here owns, until the turn is over. Commits after each
    batch; returns how many items ended waiting."""
    ended = 0
    with system_scope(_WHY):
        while True:
            batch = _due()
            ended += sum([_resolve(event) for event in batch])
            db.session.commit()
            if len(batch) < _BATCH:
                return ended
            if turn.is_over():
                turn.go_on_later()
                return ended


def _due() -> list[WebhookEvent]:
    return list(
        db.session.execute(
            select(WebhookEvent)
            .where(WebhookEvent.state == "waiting", WebhookEvent.due_at <= clock.now())
            .order_by(WebhookEvent.id)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).scalars()
    )


def _resolve(event: WebhookEvent) -> bool:
    sender = db.session.get(Sender, event.sender_id)
    if sender is None or event.body_encrypted is None or event.recipient_id is None:
        event.state, event.error, event.processed_at = "ignored", "no_body", clock.now()
        db.session.flush()
        return True
    recipients = senders.recipients_for(sender)
    owner_id = recipients.owner_of(event.recipient_id)
    if owner_id == "unknown":
        event.attempts = min(event.attempts + 1, 1000)
        event.due_at = clock.now() + BACKOFF.wait(event.attempts, event.id)
        db.session.flush()
        return False
    if owner_id == event.sender_id:
        # Its key is known under this very sender, so that it could not be stored again: it goes on as it is.
        event.state, event.recipient_id, event.attempts, event.due_at = "new", None, 0, clock.now()
        db.session.flush()
        queue.wake("intake")
        return True
    connection = db.session.connection()
    if owner_id == "nobody":
        count_unknown(connection, Counter({(event.sender_id, event.recipient_id): 1}))
    else:
        _hand_over(event, owner_id)
    db.session.execute(delete(WebhookEvent).where(WebhookEvent.id == event.id))
    return True


def _hand_over(event: WebhookEvent, owner_id: int | str) -> None:
    owner = db.session.get(Sender, owner_id)
    if owner is None or event.body_encrypted is None:
        return
    place = row_name(event.sender_id, bytes(event.key))
    piece = keyring().decrypt(event.body_encrypted, table="webhook_events", column="body_encrypted", row=place)
    if insert(db.session.connection(), arrived(owner, piece).rows):
        queue.wake("intake")


def _sender_identified(event: SenderIdentified) -> None:
    """Has what waits tried again right away: perhaps it was for this sender."""
    sender = db.session.get(Sender, event.sender_id)
    if sender is None:
        return
    waiting_id = db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.state == "waiting", WebhookEvent.channel == sender.channel)
        .values(due_at=clock.now())
        .returning(WebhookEvent.id)
        .execution_options(synchronize_session=False)
    ).first()
    if waiting_id is not None:
        queue.wake("intake")


events.subscribe(SenderIdentified, _sender_identified)

WORK: Final = register(Work("webhook_recipients", "intake", waiting, resolve))
