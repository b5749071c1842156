"""Canned replies: texts for answers, with variables and files."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.inbox import (
    CannedReplies,
    CannedRepliesQuery,
    CannedReplyChange,
    CannedReplyIn,
    CannedReplyOut,
    RenderedReply,
    RenderQuery,
)
from backend.models import CannedReply
from backend.services.inbox import canned

bp = APIBlueprint("canned_replies", __name__, url_prefix="/api/canned-replies", tag="Inbox")
_SHOWN = ("id", "name", "shortcut", "text", "format", "file_ids", "created_at", "updated_at")


@bp.get("")
@access()
@bp.input(CannedRepliesQuery, location="query")
@bp.output(CannedReplies)
def list_replies(query_data: CannedRepliesQuery) -> dict[str, Any]:
    """List the workspace's canned replies and the caller's own, oldest first"""
    by = guards.attribution()
    matches, following = canned.listing(by, q=query_data.q, cursor=query_data.cursor, limit=query_data.limit)
    return {"canned_replies": [_shown(reply) for reply in matches], "next_cursor": following}


@bp.post("")
@access("operator", idempotent=True)
@bp.input(CannedReplyIn)
@bp.output(CannedReplyOut, status_code=201)
def create(json_data: CannedReplyIn) -> dict[str, Any]:
    """Add a canned reply

    A variable that nobody knows is 422 `unknown_variable`; a shortcut that another one has is 409 `shortcut_taken`.
    """
    return _shown(canned.create(guards.attribution(), json_data.model_dump()))


@bp.get("/<int:reply_id>")
@access()
@bp.output(CannedReplyOut)
def show(reply_id: int) -> dict[str, Any]:
    """Show a canned reply, variables and all"""
    return _shown(canned.get(guards.attribution(), reply_id))


@bp.get("/<int:reply_id>/render")
@access()
@bp.input(RenderQuery, location="query")
@bp.output(RenderedReply)
def render(reply_id: int, query_data: RenderQuery) -> dict[str, Any]:
    """Show a canned reply as it is said in a conversation, with the variables filled"""
    reply, text = canned.render(guards.attribution(), reply_id, query_data.conversation_id)
    return {"id": reply.id, "text": text, "format": reply.format, "file_ids": reply.file_ids}


@bp.patch("/<int:reply_id>")
@access("operator")
@bp.input(CannedReplyChange)
@bp.output(CannedReplyOut)
def change(reply_id: int, json_data: CannedReplyChange) -> dict[str, Any]:
    """Change a canned reply"""
    given = json_data.model_dump(exclude_unset=True)
    changes = {name: value for name, value in given.items() if value is not None or name == "shortcut"}
    return _shown(canned.change(guards.attribution(), reply_id, changes))


@bp.delete("/<int:reply_id>")
@access("operator")
@bp.output({}, status_code=204)
def remove(reply_id: int) -> Response:
    """Remove a canned reply"""
    canned.remove(guards.attribution(), reply_id)
    return Response(status=204)


def _shown(reply: CannedReply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in _SHOWN} | {"personal": reply.owner_user_id is not None}
