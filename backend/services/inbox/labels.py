"""Labels: words that conversations are marked with; letter case does not tell two apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import db, workspace_id_in_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Conversation, ConversationLabel, Label
from backend.services import caps, live, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.inbox import access

COLORS: Final = ("grey", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink")
MAX_NAME: Final = 60
MAX_LABELS: Final = 20
"""Labels that one conversation can have."""


def listing(*, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT) -> tuple[list[Label], str | None]:
    """The workspace's labels, oldest first."""
    return paging.page(select(Label), Label.id, cursor=cursor, limit=limit, descending=False)


def get(label_id: int) -> Label:
    """A label of the workspace in scope. Raises NotFound."""
    label = db.session.get(Label, label_id)
    if label is None:
        raise NotFound("label_not_found", "There is no such label.")
    return label


def create(by: Attribution, name: str, color: str = "grey") -> Label:
    """Adds a label. Raises Invalid, and Conflict (label_exists, too_many_labels)."""
    wanted = _checked(name)
    caps.require_room("labels", select(func.count()).select_from(Label))
    _refuse_known(wanted, None)
    label = Label(name=wanted, name_folded=wanted.casefold(), color=color, created_at=clock.now())
    db.session.add(label)
    db.session.flush()
    audit.record(by, "label.created", f"label:{label.id}")
    return label


def change(by: Attribution, label_id: int, *, name: str | None = None, color: str | None = None) -> Label:
    """Renames or colours a label. Raises NotFound, Invalid, and Conflict (label_exists)."""
    label = get(label_id)
    if name is not None:
        wanted = _checked(name)
        _refuse_known(wanted, label.id)
        label.name, label.name_folded = wanted, wanted.casefold()
    label.color = color or label.color
    db.session.flush()
    audit.record(by, "label.changed", f"label:{label.id}")
    return label


def remove(by: Attribution, label_id: int) -> None:
    """Removes a label, also from the conversations that have it. Raises NotFound."""
    db.session.delete(get(label_id))
    db.session.flush()
    audit.record(by, "label.deleted", f"label:{label_id}")


def put(by: Attribution, conversation_id: int, label_ids: Sequence[int]) -> Conversation:
    """Gives a conversation these labels and no others. Raises NotFound, Invalid (too_many_labels)."""
    conversation = access.conversation(by.user_id, conversation_id, lock=True)
    _check(label_ids)
    before = of_conversations([conversation.id]).get(conversation.id, ())
    replace([conversation.id], add=label_ids, remove=[it for it in before if it not in label_ids])
    if set(before) != set(label_ids):
        added, removed = sorted(set(label_ids) - set(before)), sorted(set(before) - set(label_ids))
        audit.record(by, "conversation.labelled", f"conversation:{conversation.id}", added=added, removed=removed)
    return conversation


def of_conversations(conversation_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The ids of the labels of these conversations."""
    query = (
        select(ConversationLabel.conversation_id, ConversationLabel.label_id)
        .where(ConversationLabel.conversation_id.in_(conversation_ids))
        .order_by(ConversationLabel.label_id)
    )
    matches: dict[int, tuple[int, ...]] = {}
    for row in db.session.execute(query):
        matches[row.conversation_id] = (*matches.get(row.conversation_id, ()), row.label_id)
    return matches


def replace(conversation_ids: Sequence[int], *, add: Sequence[int] = (), remove: Sequence[int] = ()) -> None:
    """Adds and takes labels of conversations that the caller has locked. A label may bring a rule that assigns them."""
    workspace_id = workspace_id_in_scope()
    if remove:
        db.session.execute(
            delete(ConversationLabel)
            .where(ConversationLabel.conversation_id.in_(conversation_ids), ConversationLabel.label_id.in_(remove))
            .execution_options(synchronize_session=False)
        )
    rows = [
        {"workspace_id": workspace_id, "conversation_id": conversation_id, "label_id": label_id}
        for conversation_id in conversation_ids
        for label_id in add
    ]
    if rows:
        db.session.execute(insert(ConversationLabel).on_conflict_do_nothing(), rows)
        db.session.execute(
            update(Conversation)
            .where(Conversation.id.in_(conversation_ids), Conversation.status == "open")
            .where(Conversation.assignee_id.is_(None))
            .values(assignment_due=True)
            .execution_options(synchronize_session=False)
        )
    for conversation_id in conversation_ids:
        live.note(workspace_id, "conversations", conversation_id=conversation_id)


def _check(label_ids: Sequence[int]) -> None:
    if len(label_ids) > MAX_LABELS:
        raise Invalid.of("label_ids", "too_many_labels", f"A conversation has at most {MAX_LABELS} labels.")
    known = set(db.session.scalars(select(Label.id).where(Label.id.in_(label_ids))))
    if known != set(label_ids):
        raise NotFound("label_not_found", "There is no such label.")


def require(label_ids: Sequence[int]) -> None:
    """Raises NotFound where one of these labels is not there, Invalid for more than a conversation has."""
    _check(label_ids)


def _checked(name: str) -> str:
    wanted = " ".join(character for character in name.split())
    wanted = "".join(character for character in wanted if character.isprintable())
    if not wanted:
        raise Invalid.of("name", "label_empty", "A label has a name.")
    if len(wanted) > MAX_NAME:
        raise Invalid.of("name", "too_long", f"A label has at most {MAX_NAME} characters.")
    return wanted


def _refuse_known(name: str, label_id: int | None) -> None:
    known = db.session.scalar(select(Label).where(Label.name_folded == name.casefold()))
    if known is not None and known.id != label_id:
        raise Conflict("label_exists", "There is a label of this name.", detail={"label_id": known.id})
