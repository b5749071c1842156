"""Which conversations the assignment rules are to be tried for: those that nobody has and a person is to answer."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, update

from backend.core import queue
from backend.core.database import db
from backend.models import AssignmentRule, Conversation

QUEUE: Final = "background"
BATCH: Final = 200
"""Conversations that are tried at a time; more follow where some of them found somebody."""


def try_again() -> None:
    """Has the rules of the workspace in scope tried for those that have waited longest: somebody is there, or has room.

    Nothing happens where there are no rules."""
    has_rules = select(AssignmentRule.id).where(AssignmentRule.is_active).limit(1)
    if db.session.scalar(has_rules) is None:
        return
    oldest = (
        select(Conversation.id)
        .where(Conversation.in_inbox, Conversation.status == "open", Conversation.assignee_id.is_(None))
        .order_by(Conversation.waiting_since, Conversation.id)
        .limit(BATCH)
    )
    db.session.execute(
        update(Conversation)
        .where(Conversation.id.in_(oldest), Conversation.assignment_due.is_(False))
        .values(assignment_due=True)
        .execution_options(synchronize_session=False)
    )
    queue.wake(QUEUE)


def try_one(conversation: Conversation) -> None:
    """Has the rules tried for this conversation."""
    conversation.assignment_due = True
    db.session.flush()
    queue.wake(QUEUE)
