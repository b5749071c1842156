"""An alert's trace: what happened to it, who did it, and by which way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from backend.core import clock, events
from backend.core.database import db, workspace_id_in_scope
from backend.models import AlertEvent
from backend.services import paging
from backend.services.alerts.events import AlertChanged
from backend.services.auth.attribution import SYSTEM, Attribution


def note(alert_id: int, what: str, by: Attribution = SYSTEM, **detail: Any) -> None:
    """Adds to the trace of an alert of the workspace in scope, in the caller's transaction, and publishes the event
    `AlertChanged`.

    `detail` holds codes, counts and moments as text; never what the alert says.
    """
    workspace_id = workspace_id_in_scope()
    db.session.add(
        AlertEvent(
            workspace_id=workspace_id,
            alert_id=alert_id,
            what=what,
            user_id=by.user_id,
            name=by.name,
            via=by.via,
            detail=detail,
            at=clock.now(),
        )
    )
    events.publish(AlertChanged(workspace_id, alert_id, what))


def of(alert_id: int, *, cursor: str | None = None, limit: int = 100) -> tuple[list[AlertEvent], str | None]:
    """The trace, the newest first."""
    query = select(AlertEvent).where(AlertEvent.alert_id == alert_id)
    return paging.page(query, AlertEvent.id, cursor=cursor, limit=limit)
