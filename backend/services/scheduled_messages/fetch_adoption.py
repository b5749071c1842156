"""Files that the release before this one still waited for: asked for again as rows of `file_fetches`.

That release kept them on the events, the alerts and in `scheduled_fetches`, where its processes may still be at them:
what one has claimed is left to it for as long as it claimed it for. To be removed with that table in the next release.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import and_, or_, select
from sqlalchemy import exists as has_row
from sqlalchemy.orm import aliased

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn, Waiting, Work, register
from backend.models import Alert, FileFetch, NotificationEvent, ScheduledFetch, ScheduleFire
from backend.services import files
from backend.services.alerts.messages import attachments as alert_attachments
from backend.services.alerts.state import locked_alert
from backend.services.notifications import attaching
from backend.services.scheduled_messages import file_fetches

_WHY: Final = "files of all workspaces are fetched here"


def waiting() -> Waiting:
    """What the release before left to be fetched."""
    return _events(), _alerts(), _fires()


def adopt(turn: Turn) -> int:
    """Asks for what is left, one row a transaction, until the turn is over; returns how many. Commits."""
    adopted = 0
    for query, request in ((_events(), _adopt_event), (_alerts(), _adopt_alert), (_fires(), _adopt_fire)):
        while row := _first(query):
            with workspace_scope(row[1]):
                request(row[0])
                db.session.commit()
            adopted += 1
            if turn.is_over():
                turn.go_on_later()
                return adopted
    return adopted


def _first(query: Any) -> Any:
    with system_scope(_WHY):
        row = db.session.execute(query.limit(1)).first()
        db.session.rollback()
    return row


def _adopt_event(event_id: int) -> None:
    event = db.session.get(NotificationEvent, event_id, with_for_update=True, populate_existing=True)
    if event is not None and attaching.is_waiting(event.attachment):
        attaching.request_file(event)


def _adopt_alert(alert_id: int) -> None:
    case = locked_alert.by_id(alert_id)
    if (case.alert.attachment or {}).get("state") == "waiting":
        alert_attachments.request_file(case)


def _adopt_fire(fetch_id: int) -> None:
    row = db.session.get(ScheduledFetch, fetch_id, with_for_update=True, populate_existing=True)
    if row is None:
        return
    fire = db.session.get_one(ScheduleFire, row.fire_id, with_for_update=True, populate_existing=True)
    fire.result = (fire.result or {}) | {file_fetches.CAPTION: row.caption}
    files.request(file_fetches.OWNER, fire.id, files.Source(row.url), row.kind)
    db.session.delete(row)


def _events() -> Any:
    state, until = NotificationEvent.attachment["state"].astext, NotificationEvent.attachment["until"].astext
    now = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return _without_fetch(NotificationEvent, attaching.OWNER, state == "waiting", or_(until.is_(None), until <= now))


def _alerts() -> Any:
    state, until = Alert.attachment["state"].astext, Alert.attachment["until"].astext
    now = clock.now().isoformat(timespec="microseconds")
    return _without_fetch(Alert, alert_attachments.OWNER, state == "waiting", or_(until.is_(None), until <= now))


def _fires() -> Any:
    return select(ScheduledFetch.id, ScheduledFetch.workspace_id).where(ScheduledFetch.due_at <= clock.now())


def _without_fetch(model: Any, owner_kind: str, *conditions: Any) -> Any:
    fetch = aliased(FileFetch)
    live = and_(
        fetch.workspace_id == model.workspace_id,
        fetch.owner_kind == owner_kind,
        fetch.owner_id == model.id,
        fetch.ended_at.is_(None),
    )
    return select(model.id, model.workspace_id).where(*conditions, ~has_row().where(live)).order_by(model.id)


WORK: Final = register(Work("adopted_file_fetches", "notifications", waiting, adopt))
