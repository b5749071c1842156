"""Who takes conversations at present: what each person says of themselves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import db, system_scope, workspace_id_in_scope
from backend.core.errors import Forbidden
from backend.models import Conversation, InboxAvailability, User
from backend.models.user import ADMIN, OPERATOR
from backend.services import live
from backend.services.auth.attribution import Attribution
from backend.services.inbox import assignment_queue


def team() -> list[dict[str, Any]]:
    """The people who may answer, by name: whether they take conversations, and how many open ones each has."""
    load = load_of()
    query = (
        select(User.id, User.name, InboxAvailability.is_available, InboxAvailability.changed_at)
        .outerjoin(InboxAvailability, InboxAvailability.user_id == User.id)
        .where(User.disabled_at.is_(None), User.role.in_((OPERATOR, ADMIN)), User.password_hash.is_not(None))
        .order_by(func.lower(User.name), User.id)
    )
    return [
        {
            "user_id": row.id,
            "name": row.name,
            "is_available": bool(row.is_available),
            "changed_at": row.changed_at,
            "open_conversations": load.get(row.id, 0),
        }
        for row in db.session.execute(query)
    ]


def put(by: Attribution, is_available: bool) -> None:
    """Says whether the person takes conversations. Who begins to may get some that wait. Raises Forbidden."""
    if by.user_id is None:
        raise Forbidden("person_required", "Only a person can do this.")
    workspace_id = workspace_id_in_scope()
    values = {"is_available": is_available, "changed_at": clock.now()}
    statement = insert(InboxAvailability).values(workspace_id=workspace_id, user_id=by.user_id, **values)
    with system_scope("the row names its workspace, and is the caller's own"):
        db.session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))
    live.note(workspace_id, "availability", user_id=by.user_id)
    if is_available:
        assignment_queue.try_again()


def available() -> set[int]:
    """The people who take conversations: said so, may write, and are not disabled."""
    query = (
        select(InboxAvailability.user_id)
        .join(User, User.id == InboxAvailability.user_id)
        .where(InboxAvailability.is_available, User.disabled_at.is_(None), User.role.in_((OPERATOR, ADMIN)))
    )
    return set(db.session.scalars(query))


def load_of() -> dict[int, int]:
    """How many open conversations each person has."""
    query = (
        select(Conversation.assignee_id, func.count())
        .where(Conversation.in_inbox, Conversation.status == "open", Conversation.assignee_id.is_not(None))
        .group_by(Conversation.assignee_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query) if row[0] is not None}
