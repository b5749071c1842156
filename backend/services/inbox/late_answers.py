"""Answers that are late: said once when it is so, and taken back when somebody has answered."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import or_, select

from backend.core import clock, events
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Conversation
from backend.services import live
from backend.services.inbox import listing, sla
from backend.services.inbox.events import AnswerLate, AnswerNoLongerLate

_BATCH: Final = 50


def waiting() -> Waiting:
    """Conversations of which it is to be said, or taken back, that the answer is late."""
    return _late().with_only_columns(Conversation.id), _answered().with_only_columns(Conversation.id)


def tell_due(turn: Turn) -> int:
    """Says and takes back what is due until the turn is over; returns how many conversations. Commits."""
    done = 0
    while (worked := _tell_batch()) > 0:
        done += worked
        if turn.is_over():
            turn.go_on_later()
            break
    return done


def _tell_batch() -> int:
    with system_scope("conversations of all workspaces are looked through"):
        late, answered = _locked(_late()), _locked(_answered())
        for conversation in late:
            conversation.sla_alerted_at = clock.now()
            _note(conversation)
            with workspace_scope(conversation.workspace_id):
                kind = conversation.sla_kind or sla.FIRST
                events.publish(AnswerLate(conversation.workspace_id, conversation.id, kind, conversation.assignee_id))
        for conversation in answered:
            conversation.sla_alerted_at = None
            _note(conversation)
            with workspace_scope(conversation.workspace_id):
                events.publish(AnswerNoLongerLate(conversation.workspace_id, conversation.id))
        db.session.commit()
    return len(late) + len(answered)


def _note(conversation: Conversation) -> None:
    db.session.flush()
    live.note(conversation.workspace_id, "conversations", conversation_id=conversation.id)


def _locked(query: Any) -> list[Conversation]:
    query = query.order_by(Conversation.id).limit(_BATCH).with_for_update(skip_locked=True)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def _late() -> Any:
    return select(Conversation).where(listing.is_late(clock.now()), Conversation.sla_alerted_at.is_(None))


def _answered() -> Any:
    """Alerted, and answered since; or closed, or given back to the assistant."""
    over = or_(
        Conversation.waiting_since.is_(None),
        Conversation.waiting_since.is_distinct_from(Conversation.sla_since),
        Conversation.status.in_(("closed", "bot")),
    )
    return select(Conversation).where(Conversation.sla_alerted_at.is_not(None), over)


WORK: Final = register(Work("inbox_late_answers", "background", waiting, tell_due, timed=True))
