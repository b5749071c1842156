"""Scheduled messages: what a bot says by a schedule, and what came of it."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards, languages
from backend.http.guards import access
from backend.http.schemas.base import PageQuery, reader_of
from backend.http.schemas.scheduled_messages import (
    RunOut,
    Runs,
    ScheduledMessageChange,
    ScheduledMessageIn,
    ScheduledMessageOut,
    ScheduledMessages,
)
from backend.services import delivery, scheduled_messages
from backend.services.scheduled_messages import Occasion, Planned, contents, queries, sending
from backend.services.scheduled_messages.queries import SentMessage

bp = APIBlueprint("scheduled_messages", __name__, url_prefix="/api/scheduled-messages", tag="Scheduled messages")

_MESSAGE = ("id", "bot_name", "created_at", "updated_at")
_read_sent = reader_of("id", "conversation_id", "state", "reason")
_SCHEDULE = ("kind", "cron", "interval_seconds", "run_at", "timezone", "enabled")


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(ScheduledMessages)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List scheduled messages, the newest first"""
    messages, following = scheduled_messages.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"scheduled_messages": [_shown(message) for message in messages], "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(ScheduledMessageIn)
@bp.output(ScheduledMessageOut, status_code=201)
def create(json_data: ScheduledMessageIn) -> dict[str, Any]:
    """Plan a message

    A text, an alert, a picture or a document. Each time is said at most once; an alert goes as alerts do. The bot, its
    chats and what is sent are checked now, and again each time.
    """
    return _shown(scheduled_messages.create(guards.attribution(), json_data.model_dump()))


@bp.get("/<int:message_id>")
@access()
@bp.output(ScheduledMessageOut)
def show(message_id: int) -> dict[str, Any]:
    """Show a scheduled message"""
    return _shown(scheduled_messages.get(message_id))


@bp.patch("/<int:message_id>")
@access("operator")
@bp.input(ScheduledMessageChange)
@bp.output(ScheduledMessageOut)
def change(message_id: int, json_data: ScheduledMessageChange) -> dict[str, Any]:
    """Change a scheduled message

    `enabled` switches it off and on; what would have been said meanwhile is not made up for.
    """
    fields = json_data.model_dump(exclude_unset=True)
    return _shown(scheduled_messages.change(guards.attribution(), message_id, fields))


@bp.delete("/<int:message_id>")
@access("operator")
@bp.output({}, status_code=204)
def delete(message_id: int) -> Response:
    """Delete a scheduled message

    Its history goes with it; messages that were made of it stay.
    """
    scheduled_messages.remove(guards.attribution(), message_id)
    return Response(status=204)


@bp.post("/<int:message_id>/run")
@access("operator", idempotent=True)
@bp.output(RunOut, status_code=202)
def run(message_id: int) -> dict[str, Any]:
    """Say it now

    Also one that is switched off. Its next time stays.
    """
    fire = scheduled_messages.run_now(guards.attribution(), message_id)
    return _run(queries.of([fire])[0])


@bp.get("/<int:message_id>/history")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Runs)
def history(message_id: int, query_data: PageQuery) -> dict[str, Any]:
    """List each time it was due, the newest first, with its messages and how far they got"""
    fires, following = scheduled_messages.history(message_id, cursor=query_data.cursor, limit=query_data.limit)
    return {"runs": [_run(fire) for fire in fires], "next_cursor": following}


def _shown(planned: Planned) -> dict[str, Any]:
    content = contents.of(planned.message)
    return (
        {name: getattr(planned.message, name) for name in _MESSAGE}
        | {name: getattr(planned.schedule, name) for name in _SCHEDULE}
        | {kind: content.value if kind == content.kind else None for kind in contents.KINDS}
        | {
            "chat_ids": sending.chat_ids_of(planned.message),
            "next_run_at": planned.schedule.next_fire_at,
            "last_run_at": planned.schedule.last_fire_at,
        }
    )


def _run(occasion: Occasion) -> dict[str, Any]:
    fire = occasion.fire
    return {
        "id": fire.id,
        "due_at": fire.fire_at,
        "missed_since": fire.missed_since,
        "state": fire.state,
        "reason": fire.code,
        "triggered_by": fire.triggered_by,
        "started_at": fire.fired_at,
        "finished_at": fire.finished_at,
        "messages": [_sent(message) for message in occasion.messages],
        "alert_id": occasion.alert_id,
        "decision": occasion.decision,
    }


def _sent(message: SentMessage) -> dict[str, Any]:
    words = delivery.explain_code(message.reason, languages.wanted(), waits=message.state == "queued")
    return _read_sent(message) | {"reason_text": words}
