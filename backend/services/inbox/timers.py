"""What time does to conversations: a snooze whose moment has come ends, and a window that is about to close is told.

A reminder is told once, to the assignee, or to everybody where nobody has the conversation: by a live event, and by the
conversation itself, whose `remind_at` is empty from then on while its window is still open.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select

from backend.core import clock, events, failpoints
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Conversation
from backend.services import live
from backend.services.conversations.events import WindowClosesSoon
from backend.services.inbox import state

QUEUE: Final = "background"
TOPIC: Final = "reminders"
_WHY: Final = "what is due belongs to several workspaces"


def waiting() -> Waiting:
    """Conversations whose snooze is over, and those whose reminder is due."""
    now = clock.now()
    return (
        select(Conversation.id).where(Conversation.snoozed_until <= now),
        select(Conversation.id).where(Conversation.remind_at <= now),
    )


def run(turn: Turn) -> int:
    """Does what is due, each conversation in a transaction of its own, until the turn is over; returns how many."""
    done = 0
    with system_scope(_WHY):
        for query in waiting():
            ids = list(db.session.scalars(query.order_by(Conversation.id).limit(200)))
            db.session.rollback()
            for conversation_id in ids:
                done += _do_due(conversation_id)
                if turn.is_over():
                    turn.go_on_later()
                    return done
            if len(ids) == 200:
                turn.go_on_later()
    return done


def _do_due(conversation_id: int) -> bool:
    conversation = state.lock(conversation_id)
    if conversation is None:
        db.session.rollback()
        return False
    now = clock.now()
    with workspace_scope(conversation.workspace_id):
        if conversation.snoozed_until is not None and conversation.snoozed_until <= now:
            state.wake(conversation)
            conversation.snoozed_until = None
        if conversation.remind_at is not None and conversation.remind_at <= now:
            _remind(conversation, now)
        db.session.flush()
    failpoints.hit("inbox.due_not_committed")
    db.session.commit()
    return True


def _remind(conversation: Conversation, now: datetime) -> None:
    """Tells of a window that closes; not where nobody waits, or the assistant or somebody else answers."""
    conversation.remind_at = None
    until = conversation.reply_until
    is_asked = conversation.status == state.OPEN and conversation.waiting_since is not None
    if not is_asked or conversation.in_charge != "us" or until is None or until <= now:
        return
    live.note(conversation.workspace_id, TOPIC, only_for=conversation.assignee_id, conversation_id=conversation.id)
    events.publish(WindowClosesSoon(conversation.workspace_id, conversation.id, conversation.assignee_id, until))


WORK: Final = register(Work("inbox_timers", QUEUE, waiting, run, timed=True))
