"""Giving conversations to people by rules: one workspace at a time, so that turns and capacity hold."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from backend.core.database import db, system_scope, workspace_scope
from backend.core.logging import get_logger
from backend.core.work import Turn, Waiting, Work, register
from backend.models import AssignmentRule, Conversation
from backend.services import live
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM
from backend.services.inbox import assignment_queue, availability, labels, rule_choice
from backend.services.inbox.rule_choice import Rule

log = get_logger(__name__)


def waiting() -> Waiting:
    """Conversations for which the rules are to be tried."""
    return (_due(),)


def assign_due(turn: Turn) -> int:
    """Tries the rules for what is due until the turn is over; returns how many conversations. Commits."""
    done = 0
    while (worked := _assign_batch()) is not None:
        done += worked
        if turn.is_over():
            turn.go_on_later()
            break
    return done


def _assign_batch() -> int | None:
    """The next conversations of one workspace; None where none is due."""
    with system_scope("conversations of all workspaces are looked through"):
        first = db.session.scalar(
            _due().with_only_columns(Conversation.workspace_id).order_by(Conversation.waiting_since, Conversation.id)
        )
        db.session.rollback()
    if first is None:
        return None
    with workspace_scope(first):
        tried = _try_workspace()
        db.session.commit()
    return tried


def _try_workspace() -> int:
    # Everybody who assigns by rules in this workspace waits here: whose turn it is, is decided one by one.
    rows = db.session.scalars(
        select(AssignmentRule)
        .where(AssignmentRule.is_active)
        .order_by(AssignmentRule.position, AssignmentRule.id)
        .with_for_update()
    ).all()
    query = select(Conversation).where(Conversation.assignment_due)
    query = query.order_by(Conversation.waiting_since, Conversation.id).limit(assignment_queue.BATCH)
    due = db.session.scalars(query.with_for_update(skip_locked=True).execution_options(populate_existing=True)).all()
    rules = {row.id: row for row in rows}
    of_conversations = labels.of_conversations([conversation.id for conversation in due])
    available, load = availability.available(), availability.load_of()
    matches = 0
    for conversation in due:
        conversation.assignment_due = False
        if conversation.status != "open" or conversation.assignee_id is not None or not conversation.in_inbox:
            continue
        choice = rule_choice.choose(
            [plain(row) for row in rows],
            channel=conversation.channel,
            sender_id=conversation.sender_id,
            label_ids=of_conversations.get(conversation.id, ()),
            # Somebody's own chats are given to nobody by a rule.
            available=available if conversation.visibility == "workspace" else (),
            load=load,
        )
        if choice is None:
            continue
        conversation.assignee_id = choice.user_id
        rules[choice.rule_id].last_user_id = choice.user_id
        load[choice.user_id] = load.get(choice.user_id, 0) + 1
        matches += 1
        _note(conversation, choice.rule_id)
    db.session.flush()
    if matches and len(due) == assignment_queue.BATCH:
        assignment_queue.try_again()
    return len(due)


def plain(row: AssignmentRule) -> Rule:
    """A rule as the choice reads it."""
    return Rule(
        id=row.id,
        method=row.method,
        user_ids=tuple(row.user_ids),
        channel=row.channel,
        sender_id=row.sender_id,
        label_id=row.label_id,
        capacity=row.capacity,
        last_user_id=row.last_user_id,
    )


def _note(conversation: Conversation, rule_id: int) -> None:
    subject = f"conversation:{conversation.id}"
    audit.record(SYSTEM, "conversation.assigned", subject, assignee_id=conversation.assignee_id, rule_id=rule_id)
    live.note(conversation.workspace_id, "conversations", conversation_id=conversation.id)


def _due() -> Any:
    return select(Conversation.id).where(Conversation.assignment_due)


WORK: Final = register(Work("inbox_assignment", assignment_queue.QUEUE, waiting, assign_due))
