"""Draining: stored events are processed, conversations in turn, each event in a transaction of its own and in its
conversation's order. Several processes drain at once (`processing` says how they keep out of each other's way).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, bindparam, select, text

from backend.core import clock
from backend.core.database import db, system_scope
from backend.core.work import Turn, Waiting, Work, register
from backend.models import WebhookEvent
from backend.services.intake.processor import ConversationPosition, begin, process

_PAGE = 200
"""How many conversations one query considers."""
_RUN = 20
"""How many events of one conversation are processed before the others get their turn."""

_BEGINNING: ConversationPosition = (0, -(2**63))

# One step of the index for a conversation, however many events it holds.
_HEADS = text(
    """
    WITH RECURSIVE heads AS (
        (SELECT sender_id, conversation_key, due_at, 1 AS number FROM webhook_events
          WHERE state = 'new' AND (sender_id, conversation_key, id) > (:sender_id, :key, :id)
          ORDER BY sender_id, conversation_key, id LIMIT 1)
        UNION ALL
        SELECT e.sender_id, e.conversation_key, e.due_at, h.number + 1
          FROM heads h CROSS JOIN LATERAL (
               SELECT sender_id, conversation_key, due_at FROM webhook_events
                WHERE state = 'new'
                  AND (sender_id, conversation_key, id) > (h.sender_id, h.conversation_key, :greatest)
                ORDER BY sender_id, conversation_key, id LIMIT 1) e
         WHERE h.number < :most
    )
    SELECT sender_id, conversation_key, due_at <= :now AS due FROM heads ORDER BY number
    """
).bindparams(bindparam("id", type_=BigInteger), bindparam("greatest", 2**63 - 1, type_=BigInteger))


def drain(turn: Turn) -> int:
    """Processes what waits until the turn is over; returns how many events ended.

    The conversation of the oldest event goes first, the others follow in turn.
    """
    ended = 0
    with system_scope("events belong to senders; each handler enters its workspace"):
        oldest = _oldest()
        if oldest is None:
            return 0
        after, inclusive, whole, progressed = oldest, True, False, 0
        while True:
            page = _heads(after, inclusive=inclusive)
            for place, due in page:
                progressed += _run_conversation(place, turn) if due else 0
                if turn.is_over():
                    turn.go_on_later()
                    return ended + progressed
            if len(page) == _PAGE:
                after, inclusive = page[-1][0], False
                continue
            ended += progressed
            if whole and progressed == 0:
                return ended
            after, inclusive, whole, progressed = _BEGINNING, True, True, 0


def waiting() -> Waiting:
    """Events that are due to be processed."""
    due = select(WebhookEvent.id).where(WebhookEvent.state == "new", WebhookEvent.due_at <= clock.now())
    return (due,)


def _oldest() -> ConversationPosition | None:
    """The conversation of the oldest event that is due, perhaps behind one that is not."""
    received_at = db.session.execute(
        select(WebhookEvent.sender_id, WebhookEvent.conversation_key)
        .where(WebhookEvent.state == "new", WebhookEvent.due_at <= clock.now())
        .order_by(WebhookEvent.id)
        .limit(1)
    ).first()
    db.session.rollback()
    return None if received_at is None else (received_at.sender_id, received_at.conversation_key)


def _heads(
    after: ConversationPosition = _BEGINNING, *, inclusive: bool = True
) -> list[tuple[ConversationPosition, bool]]:
    """The next conversations that wait, `after` a place or from it on, and whether the first event of each is due."""
    rows = db.session.execute(
        _HEADS,
        {
            "sender_id": after[0],
            "key": after[1],
            "id": 0 if inclusive else 2**63 - 1,
            "now": clock.now(),
            "most": _PAGE,
        },
    ).all()
    db.session.rollback()
    return [((row.sender_id, row.conversation_key), row.due) for row in rows]


def _run_conversation(place: ConversationPosition, turn: Turn) -> int:
    """Processes a conversation's events in their order; stops at the first that does not end or is not due."""
    ended = 0
    while ended < _RUN:
        event = begin(place)
        if event is None or not process(event):
            break
        ended += 1
        if not event.has_next or turn.is_over():
            break
    return ended


WORK: Final = register(Work("webhook_events", "intake", waiting, drain))
