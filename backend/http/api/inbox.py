"""The inbox as a whole: its settings, who takes conversations, the search, and taking changes back."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.conversations import UndoOut
from backend.http.schemas.inbox import (
    AvailabilityIn,
    InboxSettingsChange,
    InboxSettingsOut,
    SearchQuery,
    SearchResults,
    Team,
)
from backend.models import InboxSettings
from backend.services.inbox import availability, bulk, search, settings
from backend.services.inbox.search import Found, Wanted

bp = APIBlueprint("inbox", __name__, url_prefix="/api", tag="Inbox")


@bp.get("/inbox/settings")
@access()
@bp.output(InboxSettingsOut)
def show_settings() -> InboxSettings:
    """Show how fast the workspace means to answer, and when it is there"""
    return settings.get()


@bp.patch("/inbox/settings")
@access("admin")
@bp.input(InboxSettingsChange)
@bp.output(InboxSettingsOut)
def change_settings(json_data: InboxSettingsChange) -> InboxSettings:
    """Change the inbox's settings; timers that run are counted again"""
    return settings.change(guards.attribution(), json_data.model_dump(exclude_unset=True))


@bp.get("/inbox/team")
@access()
@bp.output(Team)
def team() -> dict[str, Any]:
    """Show who may answer, who takes conversations now, and how many open ones each has"""
    return {"people": availability.team()}


@bp.put("/inbox/availability")
@access("operator")
@bp.input(AvailabilityIn)
@bp.output(Team)
def put_availability(json_data: AvailabilityIn) -> dict[str, Any]:
    """Say whether you take conversations; who begins to may get some that wait"""
    availability.put(guards.attribution(), json_data.is_available)
    return {"people": availability.team()}


@bp.get("/search")
@access()
@bp.input(SearchQuery, location="query")
@bp.output(SearchResults)
def find(query_data: SearchQuery) -> Found:
    """Search messages, contacts and conversations

    Words are found by their beginnings, Korean also inside words, "phrases" as they are written, telephone numbers by
    their digits. `partial` says that the time ended before everything was searched.
    """
    wanted = Wanted(
        q=query_data.q,
        kinds=tuple(query_data.in_) or search.KINDS,
        conversation_id=query_data.conversation_id,
        contact_id=query_data.contact_id,
        since=query_data.from_,
        until=query_data.to,
        has=tuple(query_data.has),
    )
    return search.find(guards.actor().user_id, wanted, cursor=query_data.cursor, limit=query_data.limit)


@bp.post("/undo/<int:undo_id>")
@access("operator")
@bp.output(UndoOut)
def undo(undo_id: int) -> dict[str, int]:
    """Take a change back, whole or not at all

    409 `undo_conflict` with the ids of what somebody has changed since.
    """
    return {"restored": bulk.undo(guards.attribution(), undo_id)}
