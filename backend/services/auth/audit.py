"""Who did what: entries are written in the transaction that did it, and never changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.models import AuditEntry
from backend.services import paging
from backend.services.auth.attribution import Attribution


def record(
    by: Attribution,
    /,
    action: str,
    subject: str | None = None,
    workspace_id: int | None = None,
    **detail: Any,
) -> AuditEntry:
    """Adds an entry to the caller's transaction.

    `by` is who did it. `action` is a code such as `person.role_changed`, `subject` what
    it was done to as `kind:id`. `detail` holds ids, codes and the names of fields; never a secret, a message or a
    provider's id of a person. Without `workspace_id` the entry belongs to the workspace in scope, in the system scope
    to none.
    """
    entry = AuditEntry(
        workspace_id=current_workspace_id() if workspace_id is None else workspace_id,
        actor=by.label,
        action=action,
        subject=subject,
        detail=detail,
        at=clock.now(),
    )
    db.session.add(entry)
    return entry


def listing(
    workspace_id: int,
    *,
    action: str | None = None,
    actor: str | None = None,
    subject: str | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[AuditEntry], str | None]:
    """A workspace's entries, the newest first. `action` also names a family: `person` finds `person.disabled`."""
    query = select(AuditEntry).where(AuditEntry.workspace_id == workspace_id)
    if action:
        family = AuditEntry.action.startswith(action + ".", autoescape=True)
        query = query.where(or_(AuditEntry.action == action, family))
    if actor:
        query = query.where(AuditEntry.actor == actor)
    if subject:
        query = query.where(AuditEntry.subject == subject)
    return paging.page(query, AuditEntry.id, cursor=cursor, limit=limit)
