"""Processing one stored event: its attempt is counted and committed, then its effects are stored with its end.

What one process has found may be another's meanwhile, so an event is begun, and ended, only under its lock, when it is
due and no earlier one of its conversation is still new.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import aliased

from backend.channels.inbound import Ignored, InboundEvent, Parked
from backend.core import clock, failpoints
from backend.core.backoff import Backoff
from backend.core.database import UtcDateTime, db
from backend.core.encrypted_columns import keyring
from backend.core.logging import get_logger
from backend.models import Sender, WebhookEvent
from backend.services import job_history
from backend.services.intake.arrival import event_received_at
from backend.services.intake.claims import ClaimedEvent, ConversationPosition
from backend.services.intake.event_store import row_name
from backend.services.intake.handlers import HANDLERS as HANDLERS
from backend.services.intake.handlers import handlers_of, parse

log = get_logger(__name__)

MAX_FAILURES = 5
"""An event whose handler raises is parked after so many tries, about 15 seconds; its conversation waits that long."""
MAX_ATTEMPTS = 8
"""One whose process dies is given more time, about four minutes: perhaps it was not the event that killed it."""
BACKOFF = Backoff(1.0, 60.0)
"""The pauses of an event whose handler raises."""
PAUSES = [Backoff(2.0, 256.0).seconds(attempt) for attempt in range(1, MAX_ATTEMPTS + 1)]
"""Those of one whose process dies, by its attempts."""


# The first of the conversation whatever its time is: one that has to wait holds back those behind it. Another process
# may have begun or ended it since it was found, and then nothing is counted.
_BEGIN = text(
    """
    WITH first AS (
        SELECT id FROM webhook_events
         WHERE state = 'new' AND sender_id = :sender_id AND conversation_key = :key
         ORDER BY sender_id, conversation_key, id LIMIT 1
    ), mine AS (
        SELECT e.id, set_config('synchronous_commit', 'off', true) AS unhurried
          FROM webhook_events e JOIN first f ON f.id = e.id
         WHERE e.state = 'new' AND e.due_at <= :now AND e.attempts < :most
           FOR UPDATE OF e SKIP LOCKED
    )
    UPDATE webhook_events e
       SET attempts = e.attempts + 1,
           due_at = cast(:now AS timestamptz) + make_interval(secs => (cast(:pauses AS float8[]))[e.attempts + 1])
      FROM mine WHERE e.id = mine.id
    RETURNING e.id, e.sender_id, e.conversation_key, e.channel, e.key, e.body_encrypted AS body, e.received_at
    """
).bindparams(bindparam("now", type_=UtcDateTime))


def begin(place: ConversationPosition) -> ClaimedEvent | None:
    """Counts the attempt of the conversation's first event and commits it, before anything that could end this process.

    It also moves the event's next try away: should this process die, others go first and the event is not met by the
    same killer at once. None, and nothing counted, where the first is not due or somebody else's.
    """
    values = {"sender_id": place[0], "key": place[1], "now": clock.now(), "most": MAX_ATTEMPTS, "pauses": PAUSES}
    row = db.session.execute(_BEGIN, values).first()
    if row is None:
        _park_hopeless(place)
        return None
    db.session.commit()
    failpoints.hit("intake.stored_not_processed")
    return ClaimedEvent(**row._mapping)


def _park_hopeless(place: ConversationPosition) -> None:
    """Puts the conversation's first event aside if it was tried too often."""
    first = db.session.execute(
        select(WebhookEvent.id)
        .where(WebhookEvent.state == "new", WebhookEvent.sender_id == place[0])
        .where(WebhookEvent.conversation_key == place[1], WebhookEvent.due_at <= clock.now())
        .where(WebhookEvent.attempts >= MAX_ATTEMPTS)
        .order_by(WebhookEvent.id)
        .limit(1)
    ).scalar()
    locked = None if first is None else _lock(first)
    if locked is not None and not locked[2]:
        event = locked[0]
        _park(event, event.error or "process_died")
        db.session.commit()
    else:
        db.session.rollback()


_earlier = aliased(WebhookEvent)
# Built once: building it took longer than carrying it out.
_LOCK = (
    select(
        WebhookEvent,
        select(_earlier.id)
        .where(_earlier.state == "new", _earlier.sender_id == WebhookEvent.sender_id)
        .where(_earlier.conversation_key == WebhookEvent.conversation_key, _earlier.id < WebhookEvent.id)
        .exists(),
        func.set_config("synchronous_commit", "off", True),
        Sender,
    )
    .join(Sender, Sender.id == WebhookEvent.sender_id)
    .where(WebhookEvent.id == bindparam("event_id"), WebhookEvent.state == "new")
    .with_for_update(of=WebhookEvent, skip_locked=True)
    .execution_options(populate_existing=True)
)


def _lock(event_id: int) -> tuple[WebhookEvent, Sender, bool] | None:
    """The event under its lock with its sender, and whether one before it in its conversation is new. None where
    somebody else has it.

    The transaction's commit does not wait for the disk. Nobody is told of it, and a machine that loses its power loses
    the effects together with the word that the event has ended: it is processed again. Whatever builds on them and is
    waited for takes them to the disk with itself.
    """
    row = db.session.execute(_LOCK, {"event_id": event_id}).first()
    return None if row is None else (row[0], row[3], bool(row[1]))


def read(event: ClaimedEvent) -> Sequence[InboundEvent]:
    """What a stored body says. Raises DecryptionFailed, and whatever a channel raises."""
    body = event.body or b""
    row = row_name(event.sender_id, event.key)
    raw = keyring().decrypt(body, table="webhook_events", column="body_encrypted", row=row)
    return parse(event.channel, raw)


def process(event: ClaimedEvent) -> bool:
    """Processes one event; True when it ended (also when parked), False when it has to wait or is somebody else's."""
    event_id, sender_id = event.id, event.sender_id
    try:
        sender = db.session.get(Sender, sender_id)
        if sender is None or event.body is None:
            return _finish_empty(event_id)
        contents = read(event)
        prepare, handle = handlers_of(event.channel)
        # Preparing may ask the provider something: it gets a detached sender and no open transaction.
        db.session.expunge(sender)
        db.session.rollback()
        prepared = [(inbound, prepare(sender, inbound)) for inbound in contents]
        db.session.rollback()
        mine = _lock(event_id)
        if mine is None:
            db.session.rollback()
            return False
        locked, sender, has_earlier = mine
        if has_earlier:
            # Numbers are given out before their rows are committed, so it may only now have come to light.
            locked.attempts, locked.due_at = locked.attempts - 1, clock.now()
            db.session.commit()
            return False
        failpoints.hit("intake.claimed")
        with event_received_at(event.received_at):
            for inbound, facts in prepared:
                handle(sender, inbound, facts)
        _end(locked, [inbound for inbound, _ in prepared])
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


def _end(event: WebhookEvent, inbound_events: Sequence[InboundEvent]) -> None:
    """Records the end of an event that was handled without a failure."""
    strange = next((inbound for inbound in inbound_events if isinstance(inbound, Parked)), None)
    if strange is not None:
        _park(event, strange.reason)
        return
    event.state, event.processed_at, event.error = end_state(inbound_events), clock.now(), None


def end_state(inbound_events: Sequence[InboundEvent]) -> str:
    """The state of an event that was handled: `ignored` where nothing here reacts to what it says."""
    return "ignored" if all(isinstance(inbound, Ignored) for inbound in inbound_events) else "done"


def _failed(event_id: int, code: str) -> bool:
    event = db.session.get(WebhookEvent, event_id, populate_existing=True, with_for_update=True)
    if event is None or event.state != "new":
        db.session.rollback()
        return False
    event.error = code
    if event.attempts >= MAX_FAILURES:
        _park(event, code)
    else:
        event.due_at = clock.now() + BACKOFF.wait(event.attempts, event.id)
    parked = event.state == "parked"
    db.session.commit()
    return parked


def _park(event: WebhookEvent, code: str) -> None:
    """Puts an event aside where an operator finds it; those behind it go on."""
    event.state, event.error, event.processed_at = "parked", code, clock.now()
    subject = f"webhook_events:{event.id}"
    job_history.record_failure("intake", "event_parked", subject, detail=code, started_at=event.received_at)


def _finish_empty(event_id: int) -> bool:
    db.session.rollback()
    db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id == event_id, WebhookEvent.state == "new")
        .values(state="ignored", error="no_body", processed_at=clock.now())
    )
    db.session.commit()
    return True
