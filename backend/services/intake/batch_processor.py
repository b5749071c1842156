"""Processing claimed events together: one transaction stores the effects and the ends of all that are ordinary.

What is not ordinary, or fails, is left to be processed by itself, with those behind it in its conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.channels.inbound import InboundEvent
from backend.core import failpoints
from backend.core.database import db
from backend.core.logging import get_logger
from backend.models import Sender
from backend.services.intake import claims, telegram, telegram_batch
from backend.services.intake.claims import ClaimedEvent, ConversationPosition
from backend.services.intake.handlers import HANDLERS, Handle
from backend.services.intake.processor import end_state, read
from backend.services.intake.telegram_batch import BatchedEvent

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BatchForm:
    """How a handler takes many events at once: which it may take, taking them, and which of the others wait for a
    provider's answer."""

    is_ordinary: Callable[[Sender, InboundEvent], bool]
    asks_provider: Callable[[Sender, InboundEvent], bool]
    handle_many: Callable[[Sequence[BatchedEvent]], set[int]]


BATCH_FORMS: Final[dict[Handle, BatchForm]] = {
    telegram.handle: BatchForm(telegram_batch.is_ordinary, telegram.asks_provider, telegram_batch.handle_many)
}
"""The handlers of `HANDLERS` that have one."""


@dataclass(slots=True)
class BatchResult:
    """What became of claimed events. `single` are those to be processed by themselves now, by conversation, in order;
    `behind` wait for them. With `failed` the whole batch was rolled back."""

    ended: int = 0
    single: dict[ConversationPosition, list[ClaimedEvent]] = field(default_factory=dict)
    behind: list[int] = field(default_factory=list)
    failed: bool = False


def process_together(events: Sequence[ClaimedEvent]) -> BatchResult:
    """Processes claimed events, in order of id; commits. Raises what a database raises that is away."""
    contents = {event.id: content for event in events if (content := _content(event)) is not None}
    try:
        result = _process(events, contents)
        db.session.flush()
        failpoints.hit("intake.processed_not_committed")
        db.session.commit()
        return result
    except Exception as error:
        db.session.rollback()
        if isinstance(error, OperationalError) and not isinstance(error.orig, DeadlockDetected | SerializationFailure):
            raise
        log.exception("batch_failed", events=len(events), error=type(error).__name__)
        result = BatchResult(failed=True)
        for event in events:
            result.single.setdefault(event.position, []).append(event)
        return result


def asks_provider(event: ClaimedEvent) -> bool:
    """Whether a provider is asked before this event can be handled, which may take seconds."""
    content = _content(event)
    form = BATCH_FORMS.get(HANDLERS[event.channel][1]) if content is not None else None
    if content is None or form is None:
        return False
    sender = _senders([event]).get(event.sender_id)
    asks = sender is not None and form.asks_provider(sender, content)
    db.session.rollback()
    return asks


def _process(events: Sequence[ClaimedEvent], contents: dict[int, InboundEvent]) -> BatchResult:
    ready = claims.lock([event.id for event in events])
    failpoints.hit("intake.claimed")
    senders = _senders(events)
    ordinary: dict[BatchForm, list[BatchedEvent]] = {}
    stopped: set[ConversationPosition] = set()
    for event in events:
        sender, content = senders.get(event.sender_id), contents.get(event.id)
        form = BATCH_FORMS.get(HANDLERS[event.channel][1]) if content is not None else None
        if (
            event.id not in ready
            or event.position in stopped
            or sender is None
            or content is None
            or form is None
            or not form.is_ordinary(sender, content)
        ):
            stopped.add(event.position)
        else:
            batched = BatchedEvent(event.id, event.conversation_key, sender, content, event.received_at)
            ordinary.setdefault(form, []).append(batched)
    ended: dict[int, str] = {}
    for form, batch in ordinary.items():
        failed = form.handle_many(batch)
        ended.update({item.row_id: end_state([item.event]) for item in batch if item.row_id not in failed})
    claims.end(ended)
    result = BatchResult(len(ended))
    for event in events:
        if event.id in ready and event.id not in ended:
            result.single.setdefault(event.position, []).append(event)
    result.behind = [event.id for event in events if event.id not in ready]
    return result


def _content(event: ClaimedEvent) -> InboundEvent | None:
    """What a stored body says, where it is one thing; None for what is processed by itself."""
    if event.body is None or event.channel not in HANDLERS:
        return None
    try:
        contents = read(event)
    except Exception as error:
        log.exception("event_left_the_batch", event_id=event.id, error=type(error).__name__)
        return None
    return contents[0] if len(contents) == 1 else None


def _senders(events: Iterable[ClaimedEvent]) -> dict[int, Sender]:
    ids = {event.sender_id for event in events}
    query = select(Sender).where(Sender.id.in_(ids)).execution_options(populate_existing=True)
    return {sender.id: sender for sender in db.session.execute(query).scalars()}
