"""What follows a person's message, behind the intake: the timer of its answer, an away text, a try of the rules.

A batch of conversations is one transaction. What is done is noted by the message it was done for, so that a crash
repeats the whole batch and says nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.channels.base import Content
from backend.core import clock, queue
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn, Waiting, Work, register
from backend.models import AssignmentRule, Conversation, InboxSettings
from backend.services import delivery
from backend.services.delivery import Priority
from backend.services.inbox import assignment_queue, settings, sla
from backend.services.inbox.working_hours import WorkingHours

AWAY: Final = "away_text"
"""The kind of the message that says that nobody is there."""
_BATCH: Final = 200
_FRESH: Final = timedelta(hours=1)
"""Who wrote longer ago, as in a history that is read late, is told nothing."""


@dataclass(frozen=True, slots=True)
class Aims:
    """What a workspace's settings say of its conversations."""

    stored: InboxSettings
    hours: WorkingHours | None
    has_rules: bool


def waiting() -> Waiting:
    """Conversations whose last message was not followed yet."""
    return (_due().with_only_columns(Conversation.id),)


def follow_due(turn: Turn) -> int:
    """Follows what is due until the turn is over; returns how many conversations. Commits."""
    done = 0
    while (worked := _follow_batch()) > 0:
        done += worked
        if turn.is_over():
            turn.go_on_later()
            break
    return done


def _follow_batch() -> int:
    with system_scope("conversations of all workspaces are followed"):
        query = _due().order_by(Conversation.id).limit(_BATCH).with_for_update(skip_locked=True)
        due = db.session.scalars(query.execution_options(populate_existing=True)).all()
        aims = _aims({conversation.workspace_id for conversation in due})
        now, tries = clock.now(), False
        for conversation in due:
            of_workspace = aims.get(conversation.workspace_id)
            if of_workspace is not None:
                tries = _follow(conversation, of_workspace, now) or tries
            conversation.followed_message_id = conversation.last_inbound_message_id
        if tries:
            queue.wake(assignment_queue.QUEUE)
        db.session.commit()
    return len(due)


def _follow(conversation: Conversation, aims: Aims, now: datetime) -> bool:
    """Does what a conversation's workspace wants; whether the rules are to be tried."""
    waits = sla.due(conversation, aims.stored, aims.hours)
    conversation.sla_kind = waits.kind if waits else None
    conversation.sla_since = waits.since if waits else None
    conversation.sla_due_at = waits.at if waits else None
    _say_away(conversation, aims, now)
    if aims.has_rules and conversation.status == "open" and conversation.assignee_id is None:
        conversation.assignment_due = True
        return True
    return False


def _say_away(conversation: Conversation, aims: Aims, now: datetime) -> None:
    """Tells the person once in each absence that nobody is there."""
    wrote_at = conversation.last_activity_at
    if not aims.stored.away_text or aims.hours is None or wrote_at is None or wrote_at < now - _FRESH:
        return
    absent_since = aims.hours.closed_since(now)
    told_at = conversation.away_told_at
    if absent_since is None or (told_at is not None and told_at >= absent_since):
        return
    if conversation.status != "open" or conversation.in_charge != "us" or conversation.visibility != "workspace":
        return
    conversation.away_told_at = now
    key = f"away:{conversation.id}:{int(absent_since.timestamp())}"
    content = Content(aims.stored.away_text)
    with workspace_scope(conversation.workspace_id):
        delivery.send(conversation, content, kind=AWAY, lane=Priority.REPLY, key=key, expires_in=delivery.REPLY_LIFE)


def _aims(workspace_ids: set[int]) -> dict[int, Aims]:
    """What these workspaces want; nothing of one that has neither settings nor rules."""
    rows = db.session.scalars(select(InboxSettings).where(InboxSettings.workspace_id.in_(workspace_ids)))
    stored = {row.workspace_id: row for row in rows}
    with_rules = _with_rules(sorted(workspace_ids))
    return {
        workspace_id: Aims(
            matches := stored.get(workspace_id) or InboxSettings(workspace_id=workspace_id),
            settings.hours_of(matches),
            workspace_id in with_rules,
        )
        for workspace_id in workspace_ids
        if workspace_id in stored or workspace_id in with_rules
    }


def _with_rules(workspace_ids: Sequence[int]) -> set[int]:
    query = select(AssignmentRule.workspace_id).where(AssignmentRule.is_active)
    return set(db.session.scalars(query.where(AssignmentRule.workspace_id.in_(workspace_ids)).distinct()))


def _due() -> Any:
    not_followed = Conversation.last_inbound_message_id.is_distinct_from(Conversation.followed_message_id)
    return select(Conversation).where(Conversation.in_inbox, not_followed)


WORK: Final = register(Work("inbox_followups", assignment_queue.QUEUE, waiting, follow_due))
