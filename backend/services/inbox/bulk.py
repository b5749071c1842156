"""One change for many conversations, in one transaction, with an undo for half an hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Conversation, Label, UndoStep
from backend.services import live
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.inbox import access, assignment_queue, handling, labels, listing, state
from backend.services.inbox.listing import ConversationFilter

MAX: Final = 1000
UNDO_LIFE: Final = timedelta(minutes=30)
ACTION: Final = "conversations.bulk"
_FIELDS: Final = ("status", "status_before", "assignee_id", "unread_count", "waiting_since", "remind_at")
_SNOOZE: Final = ("snoozed_until", "snoozed_until_reply")
_KEPT: Final = (*_FIELDS, *_SNOOZE)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done with each: `close`, `reopen`, `assign` (to `assignee_id`, or nobody), `label` (add and take)
    or `snooze` (`until`, or until the person writes)."""

    action: str
    assignee_id: int | None = None
    add_labels: tuple[int, ...] = ()
    remove_labels: tuple[int, ...] = ()
    until: datetime | None = None
    until_reply: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """How many were meant, how many it changed, and how it is taken back; no undo where nothing changed."""

    matched: int
    changed: int
    undo: UndoStep | None


def run(
    by: Attribution,
    change: Change,
    *,
    conversation_ids: Sequence[int] = (),
    wanted: ConversationFilter | None = None,
) -> Done:
    """Changes these conversations, or those that pass a filter (the latest thousand).

    Those that the person may not see are passed over, as if they did not exist. Raises Invalid, NotFound (a person, a
    label).
    """
    if bool(conversation_ids) is (wanted is not None):
        raise Invalid("ids_or_filter", "Name conversations by their ids, or by a filter.")
    if len(conversation_ids) > MAX:
        raise Invalid.of("ids", "too_many", f"At most {MAX} conversations are changed at once.")
    _check(change)
    ids = list(dict.fromkeys(conversation_ids)) or listing.ids(by.user_id, wanted or ConversationFilter(), limit=MAX)
    rows = access.visible_ids(by.user_id, ids, lock=True)
    labels_before = labels.of_conversations([row.id for row in rows])
    before = {row.id: _values(row, labels_before) for row in rows}
    for row in rows:
        _apply(row, change)
    if change.action == "label" and rows:
        labels.replace([row.id for row in rows], add=change.add_labels, remove=change.remove_labels)
    db.session.flush()
    labels_after = labels.of_conversations([row.id for row in rows])
    changes: list[dict[str, Any]] = [
        {"id": row.id, "before": before[row.id], "after": after}
        for row in rows
        if (after := _values(row, labels_after)) != before[row.id]
    ]
    for entry in changes:
        live.note(rows[0].workspace_id, "conversations", conversation_id=entry["id"])
    if changes and change.action != "label":
        assignment_queue.try_again()
    undo = _keep(by, changes)
    audit.record(by, f"conversations.bulk_{change.action}", None, None, count=len(changes), ids=_listed(changes))
    return Done(len(rows), len(changes), undo)


def undo(by: Attribution, step_id: int) -> int:
    """Takes a change back, whole or not at all; returns how many conversations got back what they had.

    Only who made it can. Raises NotFound (also when the time is over), and Conflict: `already_undone`, and
    `undo_conflict` with the ids of what somebody has changed since.
    """
    step = db.session.scalar(
        select(UndoStep)
        .where(UndoStep.id == step_id, UndoStep.user_id == by.user_id, UndoStep.until > clock.now())
        .with_for_update()
    )
    if step is None:
        raise NotFound("undo_not_found", "This cannot be taken back any more.")
    if step.undone_at is not None:
        raise Conflict("already_undone", "This was taken back already.")
    rows = {row.id: row for row in access.visible_ids(by.user_id, [it["id"] for it in step.changes], lock=True)}
    present = labels.of_conversations(list(rows))
    conflicts = [
        entry["id"]
        for entry in step.changes
        if entry["id"] not in rows or _values(rows[entry["id"]], present) != entry["after"]
    ]
    if conflicts:
        message = "Somebody has changed the same since; nothing was taken back."
        raise Conflict("undo_conflict", message, detail={"ids": conflicts[:100]})
    for entry in step.changes:
        _restore(rows[entry["id"]], entry)
    step.undone_at = clock.now()
    db.session.flush()
    audit.record(by, "undo.done", f"undo:{step.id}", None, count=len(step.changes), ids=_listed(step.changes))
    return len(step.changes)


def _check(change: Change) -> None:
    if change.action == "assign" and change.assignee_id is not None:
        handling.check_assignee(change.assignee_id)
    if change.action == "label":
        if not change.add_labels and not change.remove_labels:
            raise Invalid.of("add_labels", "no_labels", "Name labels to add or to take.")
        labels.require([*change.add_labels, *(it for it in change.remove_labels if it not in change.add_labels)])
    if change.action == "snooze":
        handling.check_snooze(change.until, until_reply=change.until_reply)


def _apply(row: Conversation, change: Change) -> None:
    if change.action == "close":
        state.close(row)
    elif change.action == "reopen":
        state.reopen(row)
    elif change.action == "assign":
        # A conversation that is not everybody's is given by its owner, one by one.
        if row.visibility == "workspace":
            handling.give(row, change.assignee_id)
    elif change.action == "snooze" and row.status != state.CLOSED:
        state.snooze(row, change.until, change.until_reply)


def _values(row: Conversation, labelled: Mapping[int, Sequence[int]]) -> dict[str, Any]:
    """What a change may change of a conversation, as plain JSON."""
    values = {name: getattr(row, name) for name in _KEPT}
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    return plain | {"labels": sorted(labelled.get(row.id, ()))}


def _restore(row: Conversation, entry: Mapping[str, Any]) -> None:
    for name in _KEPT:
        value = entry["before"][name]
        is_moment = isinstance(value, str) and name not in ("status", "status_before")
        setattr(row, name, datetime.fromisoformat(value) if is_moment else value)
    db.session.flush()
    was, now = set(entry["before"]["labels"]), set(entry["after"]["labels"])
    if was != now:
        labels.replace([row.id], add=sorted(_existing(was - now)), remove=sorted(now - was))
    live.note(row.workspace_id, "conversations", conversation_id=row.id)


def _existing(label_ids: set[int]) -> set[int]:
    """Labels that were deleted meanwhile are not given back."""
    return set(db.session.scalars(select(Label.id).where(Label.id.in_(label_ids))))


def _keep(by: Attribution, changes: list[dict[str, Any]]) -> UndoStep | None:
    if not changes or by.user_id is None:
        return None
    now = clock.now()
    step = UndoStep(user_id=by.user_id, action=ACTION, changes=changes, created_at=now, until=now + UNDO_LIFE)
    db.session.add(step)
    db.session.flush()
    return step


def _listed(changes: Sequence[Mapping[str, Any]]) -> list[int]:
    return [entry["id"] for entry in changes][:100]
