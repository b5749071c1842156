"""Events: reported by a host application, decided on, and read."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.core.errors import Forbidden
from backend.http import guards, languages
from backend.http.guards import access
from backend.http.schemas.base import reader_of
from backend.http.schemas.events import EventAccepted, EventIn, EventOut, EventQuery, Events
from backend.models import NotificationEvent
from backend.services import notifications
from backend.services.auth import audit, people
from backend.services.auth.actor import NOTIFY_CRITICAL
from backend.services.notifications import Attachment, queries

bp = APIBlueprint("events", __name__, url_prefix="/api/events", tag="Notifications")

_read_decision = reader_of("decision", "reason", "message_id")
_read_event = reader_of("id", "type", "user_id", "data", "subject", "version", "critical", "attachment", "created_at")


@bp.post("")
@access("operator", idempotent=True)
@bp.input(EventIn)
@bp.output(EventAccepted, status_code=202)
def report(json_data: EventIn) -> dict[str, Any]:
    """Report an event

    It becomes a message to the person's linked chat, or a recorded reason why not. The answer does not wait for
    Telegram. Naming somebody else needs the scope `people:act`, `critical` the scope `notify:critical`.
    """
    caller = guards.actor()
    if json_data.critical and not caller.may(NOTIFY_CRITICAL):
        raise Forbidden("scope_missing", f"A critical event needs the scope {NOTIFY_CRITICAL}.")
    person = people.person_by(caller, json_data.user_id, json_data.external_user_id)
    given = json_data.attachment
    event = notifications.report(
        caller.by,
        json_data.type,
        person,
        json_data.data,
        subject=json_data.subject,
        version=json_data.version,
        critical=json_data.critical,
        attachment=Attachment(given.kind, given.url, given.file_id) if given else None,
    )
    audit.record(caller.by, "event.reported", f"event:{event.id}", type=event.type, user_id=event.user_id)
    return _accepted(event)


@bp.get("")
@access()
@bp.input(EventQuery, location="query")
@bp.output(Events)
def listing(query_data: EventQuery) -> dict[str, Any]:
    """List events, the newest first"""
    events, following = queries.events(
        type_name=query_data.type, user_id=query_data.user_id, cursor=query_data.cursor, limit=query_data.limit
    )
    return {"events": [_shown(event) for event in events], "next_cursor": following}


@bp.get("/<int:event_id>")
@access()
@bp.output(EventOut)
def show(event_id: int) -> dict[str, Any]:
    """Show an event and what was decided"""
    return _shown(queries.event(event_id))


def _accepted(event: NotificationEvent) -> dict[str, Any]:
    words = notifications.explain(event.reason, languages.wanted()) if event.reason else None
    return {"event_id": event.id} | _read_decision(event) | {"reason_text": words}


def _shown(event: NotificationEvent) -> dict[str, Any]:
    return _accepted(event) | _read_event(event)
